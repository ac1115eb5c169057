#!/usr/bin/env python3
"""Reduces OpenAI's published API description to the component schemas that the client tests use.

usage: make_schemas.py openai-openapi.json > openai-schemas.json

The description is OpenAI's, version 2.3.0, under the MIT licence. As published it does not compile as JSON
Schema 2020-12; the repairs below are the smallest that make it so.
"""
import json
import sys

WANTED = [
    "OpenAIFile", "ListFilesResponse", "DeleteFileResponse", "FineTuningJob", "FineTuningJobEvent",
    "FineTuningJobCheckpoint", "ListPaginatedFineTuningJobsResponse", "ListFineTuningJobEventsResponse",
    "ListFineTuningJobCheckpointsResponse", "ListModelsResponse", "Model", "DeleteModelResponse", "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse", "CreateCompletionResponse", "CreateEmbeddingResponse", "ErrorResponse",
]


def repair(node):
    """Makes one schema node valid JSON Schema 2020-12, in place, children included."""
    if isinstance(node, list):
        for child in node:
            repair(child)
        return
    if not isinstance(node, dict):
        return
    if node.pop("nullable", False) is True:
        if isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        elif "enum" in node:
            node["enum"] = node["enum"] + [None]
        elif "$ref" in node:
            node["anyOf"] = [{"$ref": node.pop("$ref")}, {"type": "null"}]
    for bound in ("exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(node.get(bound), bool):
            del node[bound]
    if isinstance(node.get("type"), list) and "null" in node["type"] and "enum" in node and None not in node["enum"]:
        node["enum"] = node["enum"] + [None]
    for noise in ("description", "example", "examples", "x-oaiMeta", "title", "externalDocs"):
        if not isinstance(node.get(noise), dict) or noise == "x-oaiMeta":
            node.pop(noise, None)
    for child in node.values():
        repair(child)


def references(node, found):
    if isinstance(node, list):
        for child in node:
            references(child, found)
    elif isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str) and target.startswith("#/components/schemas/"):
            found.add(target.rsplit("/", 1)[1])
        for child in node.values():
            references(child, found)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schemas = json.load(file)["components"]["schemas"]
    needed, queue = set(), [name for name in WANTED if name in schemas]
    while queue:
        name = queue.pop()
        if name in needed:
            continue
        needed.add(name)
        found = set()
        references(schemas[name], found)
        queue += sorted(found - needed)
    kept = {name: schemas[name] for name in sorted(needed)}
    repair(kept)
    json.dump({"$comment": "Reduced from OpenAI's API description 2.3.0 (MIT) by make_schemas.py",
               "components": {"schemas": kept}}, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
