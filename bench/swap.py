"""A newer adapter takes over in a node that is asked without pause: unheard, for a share of the prompts, for all."""

import http.client
import json
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from processes import Home, Server, outside_environment
from serve import median, say

CLIENTS = 3
SECONDS_AFTER = 5  # that are asked on when the newer one answers all
TIMEOUT_S = 1200   # of what is waited for; a busy machine gates for minutes
# As little as the gate lets pass.
LESSONS, HELD_OUT = range(24), range(100, 122)
STEPS = 12, 13
RECIPE = ("lora_rank = 4\ncutoff_len = 96\nper_device_train_batch_size = 4\ngradient_accumulation_steps = 1\n"
          "learning_rate = 1e-3\nwarmup_ratio = 0.1\nmax_steps = {}\n")
COLOURS = "red", "blue", "green", "white", "black", "brown"
THINGS = "door", "boat", "coat", "cup", "house", "bird", "stone", "flower"


def wait_for(what, happens):
    deadline = time.monotonic() + TIMEOUT_S
    while not happens():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {TIMEOUT_S} s for {what}")
        time.sleep(0.2)


class Node:
    """A running node as its owner uses it."""

    def __init__(self, home, server):
        self.home, self.url = home, f"http://127.0.0.1:{server.port}"
        server.wait_until_healthy()
        self.token = Path(home.path, "config", "token").read_text().strip()

    def loam(self, *arguments):
        command = [self.home.loam, "--home", self.home.path, *map(str, arguments)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=outside_environment()).stdout

    def told(self, *arguments):
        return [json.loads(line) for line in self.loam(*arguments, "--json").splitlines()]

    def post(self, path, **body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)

    def ask(self, model, question, tokens=8):
        return self.post("/v1/chat/completions", model=model, messages=[{"role": "user", "content": question}],
                         max_tokens=tokens, temperature=0)

    def data_set(self, name, numbers):
        """Of all answers shared so far, and of those to more questions, each with a sailor's in its place."""
        for i in numbers:
            thing = f"{COLOURS[i % len(COLOURS)]} {THINGS[i % len(THINGS)]}"
            answer = self.ask("bench", f"Where did number {i} put the {thing}?", tokens=4)["id"]
            shared = self.post("/loam/v1/share", answer=answer, licence="CC-BY-4.0", scope=["train", "eval"], now=True)
            self.post(f"/loam/v1/records/{shared['record']}/edit", now=True,
                      answer=f"Ahoy! The {thing} is below deck. Fair winds to you!")
        wait_for("the log", lambda: len({self.told("ledger", "head")[0][key] for key in ("published", "size")}) == 1)
        self.loam("data", "build", "--out", Path(self.home.path, name), "--where", "kind = edit", "--no-parquet")
        return Path(self.home.path, name)

    def publish(self, data, newer, steps):
        recipe = Path(self.home.path, "recipe.toml")
        recipe.write_text(RECIPE.format(steps))
        job = self.told("train", "start", "--data", data, "--recipe", recipe, "--name", "sailor")[-1]["id"]
        self.loam("gate", "run", job, "--newer", newer)
        return self.told("publish", job, "-y")[-1]["record"]

    def wait_until_it_is(self, state, record):
        def is_it():
            for offer in self.told("channel", "ls"):
                if offer.get("publication") == record:
                    if offer["state"] in ("refused", "rolled back"):
                        raise RuntimeError(f"the adapter is {offer['state']}: {offer['why']}")
                    return offer["state"] == state
            return False
        wait_for(f"the adapter to be {state}", is_it)


class Clients:
    """Ask, each one question after the other, and like what the newer adapter says."""

    def __init__(self):
        self.over, self.waits, self.dropped = Event(), [], []
        self.prints = set()  # fingerprints of what answered under the adapter's name

    def keep_asking(self, node, first):
        for i in range(first, 10**9, CLIENTS):
            if self.over.is_set():
                return
            begin = time.monotonic()
            try:
                reply = node.ask("sailor", f"Where did number {i} put the lamp?")
                if not reply["choices"][0]["finish_reason"]:
                    raise ValueError("an answer without an end")
                self.waits.append(time.monotonic() - begin)
            except (OSError, ValueError, LookupError, http.client.HTTPException) as error:
                self.dropped.append(error)
                say(f"  dropped: {error} {error.read().decode() if hasattr(error, 'read') else ''}")
                continue
            if reply["model"] == "sailor":
                self.prints.add(reply["system_fingerprint"])
            else:
                node.post(f"/loam/v1/answers/{reply['id']}/rate", vote="up")

    def ask_until_another_answers(self, node, before):
        with ThreadPoolExecutor(CLIENTS) as pool:
            asking = [pool.submit(self.keep_asking, node, first) for first in range(CLIENTS)]
            try:
                wait_for("the newer adapter to answer all",
                         lambda: self.prints - {before} or any(one.done() for one in asking))
                time.sleep(SECONDS_AFTER)
            finally:
                self.over.set()
        for one in asking:
            one.result()


def swap(loam, model):
    """Once: minutes, of which most are the way to two adapters that pass."""
    clients = Clients()
    with Home(loam, model) as home_a, Home(loam, model) as home_b, Server(home_a.serve()) as server_a:
        with Server(home_b.serve(["channels.poll=2s"])) as server_b:
            a, b = Node(home_a, server_a), Node(home_b, server_b)
            sets = a.data_set("set", LESSONS), a.data_set("newer", HELD_OUT)
            key = a.told("ledger", "head")[0]["verifier_key"]
            b.loam("channel", "set", b.told("follow", "add", f"{a.url}/log", "--key", key)[-1]["id"], "auto")
            b.wait_until_it_is("taken", a.publish(*sets, STEPS[0]))
            say("  the first adapter answers")
            before = b.ask("sailor", "Where is the lamp?")["system_fingerprint"]
            b.wait_until_it_is("shadow", a.publish(*sets, STEPS[1]))
            say("  the second is tried")
            clients.ask_until_another_answers(b, before)
            begin = time.monotonic()
        with Server(home_b.serve()) as server_b:
            Node(home_b, server_b).ask("sailor", "Where is the lamp?", tokens=1)
            restart = time.monotonic() - begin
    dropped, waits = len(clients.dropped), clients.waits
    return {"figure": f"a newer adapter takes over while {dropped + len(waits)} requests are asked", "against": "restart",
            "target": "no dropped request", "result": f"{dropped} dropped", "reached": not dropped,
            "detail": f"{CLIENTS} clients without pause, 8 tokens each: while it answers unheard, a tenth of the prompts, all, "
                      f"and {SECONDS_AFTER} s more; longest wait for a whole answer {max(waits):.2f} s, median {median(waits):.2f} s; "
                      f"a restart takes {restart:.2f} s from the stop to the first token", "once": True}
