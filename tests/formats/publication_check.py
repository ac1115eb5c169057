#!/usr/bin/env python3
"""A verifier of docs/formats/publication.md, written from that page and those it refers to, on cbor2, cryptography, gguf and
safetensors.

    publication_check.py URL RECORD --key VKEY [--contains FILE...]

Reads the log and the files of the node at URL, whose log has the key VKEY, and verifies the publication RECORD with those that it
descends from. FILE is what `loam model contains --json` printed about it. Prints one line, and exits 1 with the reason if anything is
wrong.
"""
import argparse
import hashlib
import json
import re
import sys
import tempfile
import tomllib
from pathlib import Path

import gguf
import numpy
import safetensors.numpy

import record_check
from dataset_check import as_page, is_hex, tree
from record_check import KINDS, Fault, LogKey, decode, decode_payload, id_text, is_bytes, parse_id, require

FILES = ["adapter.gguf", "adapter_config.json", "adapter_model.safetensors", "recipe.toml", "log.jsonl", "gate.json",
         "data-set.json", "proofs.cbor"]
LICENCES = ["CC0-1.0", "Unlicense", "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ODC-By-1.0", "CC-BY-4.0",
            "ODbL-1.0", "CC-BY-SA-4.0"]
TOP = ["format", "version", "type", "name", "licence", "base", "data_set", "run", "gate", "parents", "files"]
PEFT_MODULES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
                "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
MEMBERS = {
    "base": ["name", "sha256", "bytes", "architecture", "source", "licence"],
    "data_set": ["root", "rows_root", "used_root", "used", "query"],
    "run": ["id", "seed", "examples", "examples_sha256", "version", "engine_build", "instruction_set"],
    "gate": ["verdict", "profile", "self_gated"],
}


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- trees (RFC 9162 sections 2.1.3.2 and 2.1.4.2) -------------------------------------------------


def node_hash(left, right):
    return sha256(b"\1", left, right)


def is_included(leaf, index, size, path, root):
    if index >= size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old_size, old_root, size, root, proof):
    if old_size == 0:
        return old_root == sha256() and not proof
    if old_size == size:
        return old_root == root and not proof
    if old_size > size or not proof:
        return False
    if old_size & (old_size - 1) == 0:
        proof = [old_root, *proof]
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_found = found = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_found, found = node_hash(sibling, old_found), node_hash(sibling, found)
            while not at & 1 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old_found == old_root and found == root


# --- the files -------------------------------------------------------------------------------------


def read_manifest(content):
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise Fault("form", f"manifest: {error}") from None
    require(type(manifest) is dict and list(manifest) == TOP, "manifest: other members")
    for name, members in MEMBERS.items():
        require(type(manifest[name]) is dict and list(manifest[name]) == members, f"manifest: members of {name}")
    require(as_page(manifest) == content, "manifest: another text")
    require((manifest["format"], manifest["version"], manifest["type"]) == ("loam-publication", 1, "adapter"), "manifest: format")
    require([file["name"] for file in manifest["files"]] == FILES, "manifest: files")
    for file in manifest["files"]:
        require(list(file) == ["name", "bytes", "sha256"] and is_hex(file["sha256"], 32), "manifest: a file")
    require(len(set(manifest["parents"])) == len(manifest["parents"]), "manifest: parents")
    return manifest


def combined_licence(licences):
    by_name = {licence.lower(): number for number, licence in enumerate(LICENCES)} | {"odc-by": LICENCES.index("ODC-By-1.0")}
    for licence in licences:
        require(licence.lower() in by_name, f"the licence {licence}")
    numbers = {by_name[licence.lower()] for licence in licences}
    require(not {LICENCES.index("ODbL-1.0"), LICENCES.index("CC-BY-SA-4.0")} <= numbers, "licences that do not go together")
    return LICENCES[max(numbers)]


def read_proofs(content, data_set):
    """(id, header) of each used record; every proof was checked."""
    proofs = decode(content, items_max=50_000_000)
    require(type(proofs) is dict and proofs.keys() == {1, 2, 3} and proofs[1] == 1, "proofs: version or form")
    require(len(proofs[2]) == len(data_set["logs"]), "proofs: other logs")
    net = bytes.fromhex(data_set["net"])
    for (key, note, consistency), log in zip(proofs[2], data_set["logs"]):
        require(log["origin"] == f"loam/{net.hex()}/{key.hex()}", f"log {log['origin']}: another key")
        typed = b"\1" + key
        name_hash = sha256(log["origin"].encode() + b"\n" + typed)[:4].hex()
        size, root = record_check.open_checkpoint(
            note.encode(), LogKey(f"{log['origin']}+{name_hash}+{record_check.base64.b64encode(typed).decode()}"))
        require(is_consistent(log["height"], bytes.fromhex(log["root"]), size, root, consistency),
                f"log {log['origin']}: not consistent")
    used = []
    for number, index, content, path in proofs[3]:
        identity = sha256(content)
        name = id_text(identity)
        try:
            header = record_check.verify_record(content, net)
        except Fault as fault:
            raise Fault(fault.kind, f"record {name}: {fault}") from None
        log = data_set["logs"][number]
        require(header[16] == sha256(proofs[2][number][0]), f"record {name}: of another log")
        require(is_included(record_check.leaf_hash(content), index, log["height"], path, bytes.fromhex(log["root"])),
                f"record {name}: not in its log")
        require(KINDS[header[2]][0] in ("data", "edit", "vote"), f"record {name}: its kind")
        require(7 not in header or 11 in header, f"record {name}: no consent")
        used.append((identity, header))
    require(all(one[0] < other[0] for one, other in zip(used, used[1:])), "proofs: not sorted")
    return used


def read_adapter(content):
    """What the adapter says of itself, and its numbers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter.gguf"
        path.write_bytes(content)
        reader = gguf.GGUFReader(path)
        tensors = {tensor.name: numpy.array(gguf.dequantize(tensor.data, tensor.tensor_type)) for tensor in reader.tensors}
        said = {name: field.contents() for name, field in reader.fields.items() if name.startswith(("adapter.", "general."))}
    require(all(numpy.isfinite(numbers).all() for numbers in tensors.values()), "the adapter: infinity or NaN")
    return said, tensors


def interleaved(rows, width):
    """PEFT's rows as a file of architecture llama orders them."""
    return rows.reshape(-1, 2, width // 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def check_config(config, alpha, parts, rank):
    """That a plain LoRA of `rank` and `alpha` is asked for, on `parts`, pairs of layer and module."""
    require(config["peft_type"] == "LORA" and config.get("task_type") in ("CAUSAL_LM", None), "PEFT's config: its type")
    require(config.get("bias", "none") == "none" and not config.get("layers_pattern") and not config.get("exclude_modules"),
            "PEFT's config: no plain LoRA")
    for name in ("use_dora", "use_rslora", "fan_in_fan_out", "alpha_pattern", "rank_pattern", "modules_to_save"):
        require(not config.get(name), f"PEFT's config: {name}")
    require(config["lora_alpha"] > 0 and numpy.float32(config["lora_alpha"]) == numpy.float32(alpha), "PEFT's config: another alpha")
    require(config["r"] == rank, "PEFT's config: another rank")
    targets, layers = config["target_modules"], config.get("layers_to_transform")
    require(type(targets) is list and targets, "PEFT's config: no list of modules")
    layers = [layers] if type(layers) is int else layers
    chosen = {(layer, module) for layer in range(max(layer for layer, _ in parts) + 1) for module in PEFT_MODULES.values()
              for name in [f"model.layers.{layer}.{module}"] if (not layers or layer in layers)
              and any(name == target or name.endswith("." + target) for target in targets)}
    require(chosen == parts, "PEFT's config: other parts")


def check_peft(said, tensors, config, content):
    """That PEFT's two files hold the adapter that says `said` of itself and has `tensors`."""
    try:
        theirs = safetensors.numpy.load(content)
    except safetensors.SafetensorError as error:
        raise Fault("form", f"PEFT's tensors: {error}") from None
    parts, widths = set(), set(range(4, 1025, 2))
    for name, numbers in tensors.items():
        match = re.fullmatch(r"blk\.(0|[1-9]\d{0,2})\.(\w+)\.weight\.lora_([ab])", name)
        require(match and match[2] in PEFT_MODULES, f"the adapter: {name}")
        layer, module, half = int(match[1]), PEFT_MODULES[match[2]], match[3].upper()
        parts.add((layer, module))
        found = theirs.pop(f"base_model.model.model.layers.{layer}.{module}.lora_{half}.weight", None)
        require(found is not None, f"PEFT's tensors: {name} is missing")
        found = found.astype(numpy.float32)
        require(found.shape == numbers.shape and numpy.isfinite(found).all(), f"PEFT's tensors: {name}: its shape, or infinity or NaN")
        if said["general.architecture"] == "llama" and half == "B" and match[2] in ("attn_q", "attn_k"):
            widths = {width for width in widths if len(found) % width == 0 and numpy.array_equal(interleaved(found, width), numbers)}
            require(widths, f"PEFT's tensors: {name} has other numbers")
        else:
            require(numpy.array_equal(found, numbers), f"PEFT's tensors: {name} has other numbers")
    require(not theirs, f"PEFT's tensors: more of them, {sorted(theirs)[:1]}")
    ranks = {numbers.shape[0 if name.endswith("a") else 1] for name, numbers in tensors.items()}
    require(len(ranks) == 1, "the adapter: several ranks")
    check_config(json.loads(config), said["adapter.lora.alpha"], parts, ranks.pop())


def check_publication(header, blob):
    """The manifest and the ids of the used records of the publication in `header`; `blob(hex)` gives a file."""
    payload = decode_payload("publication", header[13])
    require(payload[1] == 2, "not that of an adapter")

    def read(identity, name):
        content = blob(identity)
        require(sha256(content).hex() == identity, f"{name}: it was changed")
        return content

    manifest = read_manifest(read(payload[3].hex(), "manifest"))
    files, hashes = {}, {}
    for file in manifest["files"]:
        content = read(file["sha256"], file["name"])
        require(len(content) == file["bytes"], f"{file['name']}: its size")
        files[file["name"]], hashes[file["name"]] = content, bytes.fromhex(file["sha256"])
    base, data_set, run = manifest["base"], manifest["data_set"], manifest["run"]
    require((payload[2], payload[5]) == (manifest["name"], manifest["licence"]), "record and manifest: name or licence")
    require(payload[4] == hashes["proofs.cbor"], "record and manifest: proofs")
    require(payload[6] == [bytes.fromhex(base["sha256"]), hashes["adapter.gguf"]], "record and manifest: models")
    require([id_text(identity) for identity in header.get(9, [])] == manifest["parents"], "record and manifest: parents")

    root = sha256(b"loam.dataset.v1", bytes.fromhex(data_set["rows_root"]), bytes.fromhex(data_set["used_root"]),
                  hashes["data-set.json"])
    require(root.hex() == data_set["root"], "the data set's root")
    theirs = json.loads(files["data-set.json"])
    require(theirs["query"] == data_set["query"], "the data set's query")
    used = read_proofs(files["proofs.cbor"], theirs)
    require(len(used) == data_set["used"], "the number of used records")
    require(tree([identity for identity, _ in used]).hex() == data_set["used_root"], "the root of the used records")
    licences = {header[10] for _, header in used if 10 in header}
    require(combined_licence({base["licence"], *licences}) == manifest["licence"], "the licence")

    run_id = sha256(b"loam.run.v1", bytes.fromhex(base["sha256"]), root, hashes["recipe.toml"], bytes.fromhex(run["examples_sha256"]))
    require(run_id.hex() == run["id"], "the run's id")
    require(tomllib.loads(files["recipe.toml"].decode())["seed"] == run["seed"], "the seed")
    about, tensors = read_adapter(files["adapter.gguf"])
    said = {name: text for name, text in about.items() if name.startswith("adapter.loam.")}
    wanted = {"base_sha256": base["sha256"], "data_set_root": root.hex(), "recipe_sha256": hashes["recipe.toml"].hex(), "run": run["id"]}
    require(said == {"adapter.loam." + name: value for name, value in wanted.items()}, "what the adapter says of itself")
    check_peft(about, tensors, files["adapter_config.json"], files["adapter_model.safetensors"])
    report = json.loads(files["gate.json"])
    require({name: report[name] for name in MEMBERS["gate"]} == manifest["gate"], "the gate's report: another verdict")
    require((report["adapter_sha256"], report["base_sha256"], report["data_set_root"])
            == (hashes["adapter.gguf"].hex(), base["sha256"], root.hex()), "the gate's report: about something else")
    return manifest, [identity for identity, _ in used]


def check_membership(proof, manifest):
    """Whether the record that `proof` is about was used; Fault if that is not proven."""
    data_set = manifest["data_set"]
    require((proof["used"], proof["used_root"], proof["data_set_root"])
            == (data_set["used"], data_set["used_root"], data_set["root"]), "contains: another data set")
    record, size, root = parse_id(proof["record"]), data_set["used"], bytes.fromhex(data_set["used_root"])
    places = [(parse_id(place["record"]), place["position"]) for place in proof["proof"]]
    for (identity, position), place in zip(places, proof["proof"]):
        path = [bytes.fromhex(digest) for digest in place["path"]]
        require(is_included(record_check.leaf_hash(identity), position, size, path, root), "contains: a path")
    if proof["included"]:
        require([identity for identity, _ in places] == [record], "contains: not its own place")
    elif len(places) == 2:
        (low, at), (high, behind) = places
        require(low < record < high and behind == at + 1, "contains: not its neighbours")
    elif places:
        (only, at), = places
        require((at == 0 and record < only) or (at == size - 1 and only < record), "contains: not at an end")
    else:
        require(size == 0, "contains: nothing is shown")
    return proof["included"]


class Node:
    """The log and the files of a node."""

    def __init__(self, url, key):
        self.url = url.rstrip("/")
        status, note = record_check.get(f"{self.url}/log/checkpoint")
        require(status == 200, f"checkpoint: answer {status}")
        size, root = record_check.open_checkpoint(note, key)
        base = f"{self.url}/log"
        self.state, _ = record_check.read_entries(
            lambda number, width: record_check.read_bundle(base, number, width), size, root, key)

    def blob(self, identity):
        require(re.fullmatch("[0-9a-f]{64}", identity), "no hash")
        status, content = record_check.get(f"{self.url}/blob/{identity}")
        require(status == 200, f"file {identity}: answer {status}")
        return content

    def check(self, name, path=()):
        """The manifest of a publication, after it and all that it descends from were verified; which used records were retracted."""
        require(name not in path, f"{name}: a cycle")
        header = self.state.records.get(parse_id(name))
        require(header is not None, f"{name}: not in the log")
        require(KINDS[header[2]][0] == "publication", f"{name}: no publication")
        manifest, used = check_publication(header, self.blob)
        for parent in manifest["parents"]:
            self.check(parent, (*path, name))
        return manifest, [identity for identity in used if identity in self.state.retracted]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", metavar="URL")
    parser.add_argument("record", metavar="RECORD")
    parser.add_argument("--key", required=True)
    parser.add_argument("--contains", metavar="FILE", action="append", default=[])
    chosen = parser.parse_args()
    try:
        manifest, retracted = Node(chosen.url, LogKey(chosen.key)).check(chosen.record)
        answers = [check_membership(json.loads(Path(file).read_text()), manifest) for file in chosen.contains]
    except Fault as fault:
        print(f"{chosen.record}: {fault}", file=sys.stderr)
        return 1
    said = "".join(f", {'in' if answer else 'not in'}" for answer in answers)
    print(f"ok: {manifest['name']} of {manifest['data_set']['used']} records, {len(retracted)} retracted since{said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
