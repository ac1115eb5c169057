"""The figures of `bench/run serve`. Each returns what docs/bench.md says of it."""

import json
import os
import random
import re
import statistics
import subprocess
import sys
import time

from processes import Home, Server, kv_bytes_per_token, memory_bytes, send

THREADS = len(os.sched_getaffinity(0))
DECODE_TOKENS = 128
CHATS = 16
CHAT_TOKENS = 64
SLOT_TOKENS = 512  # of context for each chat, on both sides
STREAMS = 500
STREAM_SECONDS = 60
STREAM_STEP_MS = 50
# Common words, each one token with the space before it in most vocabularies.
WORDS = ("time year people way day man thing woman life child world school state family student group country "
         "problem hand part place case week company system program question work government number night point "
         "home water room mother area money story fact month lot right study book eye job word business issue "
         "side kind head house service friend father power hour game line end member law car city name").split()


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def median(values):
    return statistics.median(values)


def measured(bench, figures, wanted):
    """What the wanted figures of a suite come to, one after the other."""
    results = []
    for name in wanted:
        say(name)
        found = figures[name](bench)
        results += found if isinstance(found, list) else [found]
        say(f"  {results[-1]['result']} ({results[-1]['detail']})")
    return results


def pairs(rounds, ours, theirs):
    """Runs both `rounds` times, in turns first; the two lists of results."""
    a, b = [], []
    for turn in range(rounds):
        for run, kept in ((ours, a), (theirs, b)) if turn % 2 == 0 else ((theirs, b), (ours, a)):
            kept.append(run())
        say(f"  round {turn + 1} of {rounds}: {a[-1]:.3f} and {b[-1]:.3f}")
    return a, b


def checked(answers):
    for answer in answers:
        if answer["error"] or not answer["done"]:
            raise RuntimeError(f"a request failed: {answer}")
    return answers


class Bench:
    def __init__(self, programs, model, rounds, home):
        self.programs, self.model, self.rounds, self.home = programs, model, rounds, home

    def peer_command(self):
        return [self.programs["llama-server"], "-m", self.model, "-t", str(THREADS), "-np", str(CHATS),
                "-c", str(CHATS * SLOT_TOKENS), "--host", "127.0.0.1", "--port", "{port}"]

    def send(self, server, requests, **options):
        return checked(send(self.programs["load"], server, requests, **options))

    def peer_decode(self):
        shown = subprocess.run(
            [self.programs["llama-bench"], "-m", self.model, "-t", str(THREADS), "-p", "0", "-n",
             str(DECODE_TOKENS), "-r", "1", "-o", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        return json.loads(shown.stdout)[0]["avg_ts"]

    def single_stream(self, temperature, target, title):
        body = {"model": "bench", "prompt": "The history of the town begins with", "stream": True,
                "max_tokens": DECODE_TOKENS, "ignore_eos": True, "temperature": temperature, "top_p": 1,
                "stream_options": {"include_usage": True}}

        with Server(self.home.serve()) as node:
            node.wait_until_healthy()

            def ours():
                [answer] = self.send(node, [("/v1/completions", body)])
                return (answer["completion_tokens"] - 1) / (answer["last"] - answer["first"])

            ours()  # loads the model
            a, b = pairs(self.rounds, ours, self.peer_decode)
        ratio = median([x / y for x, y in zip(a, b)])
        return {"figure": title, "against": "llama-bench tg128", "target": f">= {target}",
                "result": f"{ratio:.3f}", "reached": ratio >= target,
                "detail": f"{median(a):.1f} against {median(b):.1f} tokens/s"}

    def decode(self):
        return self.single_stream(0, 0.97, "single-stream decode through the HTTP API, T=0")

    def decode_t1(self):
        return self.single_stream(1, 0.93, "the same at T=1, no filters")

    def concurrent(self):
        chance = random.Random(1)

        def words(count):
            return " ".join(chance.choice(WORDS) for _ in range(count))

        def requests():
            # With a system message of its own, a chat shares nothing with another: the template's own
            # system message would be the same text in each. 50 words and 14 tokens of the template.
            bodies = []
            for _ in range(CHATS):
                messages = [{"role": "system", "content": words(25)}, {"role": "user", "content": words(25)}]
                bodies.append({"model": "bench", "messages": messages, "stream": True, "ignore_eos": True,
                               "max_tokens": CHAT_TOKENS, "temperature": 0.8, "top_k": 40, "top_p": 0.95,
                               "min_p": 0.05, "seed": chance.randrange(1 << 30),
                               "stream_options": {"include_usage": True}})
            return [("/v1/chat/completions", body) for body in bodies]

        def rate(server):
            answers = self.send(server, requests())
            tokens = sum(answer["completion_tokens"] for answer in answers)
            if tokens != CHATS * CHAT_TOKENS:
                raise RuntimeError(f"{tokens} tokens came instead of {CHATS * CHAT_TOKENS}")
            return tokens / (max(a["end"] for a in answers) - min(a["sent"] for a in answers))

        settings = (f"load.context={SLOT_TOKENS}", f"load.sequences={CHATS}")
        with Server(self.home.serve(settings)) as node, Server(self.peer_command()) as peer:
            node.wait_until_healthy()
            peer.wait_until_healthy()
            rate(node), rate(peer)
            a, b = pairs(self.rounds, lambda: rate(node), lambda: rate(peer))
        ratio = median([x / y for x, y in zip(a, b)])
        return {"figure": f"{CHATS} concurrent chats, 64-token prompts, {CHAT_TOKENS} tokens each",
                "against": f"llama-server -np {CHATS}", "target": ">= 1.0", "result": f"{ratio:.3f}",
                "reached": ratio >= 1,
                "detail": f"{median(a):.1f} against {median(b):.1f} tokens/s, prompts included"}

    def first_token_s(self, command):
        """From the start of the process to the first text; what it held in memory then."""
        body = {"model": "bench", "prompt": "Hello", "max_tokens": 8, "stream": True, "temperature": 0}
        with Server(command) as server:
            [answer] = self.send(server, [("/v1/completions", body)], retry_s=60)
            time.sleep(1)
            held = memory_bytes(server.process.pid)
            cells = 0
            if "serve" in command:
                found = re.search(r'^loam_engine_kv_capacity_tokens\{.*\} (\d+)', server.get("/metrics"), re.M)
                cells = int(found.group(1))
            return answer["first"] - server.started, held, cells

    def start(self):
        memory = {"ours": [], "theirs": []}
        per_token = kv_bytes_per_token(self.model)

        def ours():
            seconds, held, cells = self.first_token_s(self.home.serve())
            memory["ours"].append(held - cells * per_token)
            return seconds

        def theirs():
            seconds, held, _ = self.first_token_s(self.peer_command())
            memory["theirs"].append(held - CHATS * SLOT_TOKENS * per_token)
            return seconds

        ours(), theirs()  # the page cache is warm for both
        a, b = pairs(self.rounds, ours, theirs)
        ratio = median([x / y for x, y in zip(a, b)])
        idle, peer_idle = median(memory["ours"]) / 2**20, median(memory["theirs"]) / 2**20
        return [{"figure": "process start to first token", "against": "llama-server", "target": "<= 1.0",
                 "result": f"{ratio:.3f}", "reached": ratio <= 1,
                 "detail": f"{median(a):.3f} against {median(b):.3f} s, files in the page cache"},
                {"figure": "idle memory beside model and KV", "against": "limit", "target": "<= 64 MB",
                 "result": f"{idle:.0f} MB", "reached": idle <= 64,
                 "detail": f"node and worker, shared pages by share; llama-server {peer_idle:.0f} MB"}]

    def streams(self):
        tokens = STREAM_SECONDS * 1000 // STREAM_STEP_MS
        body = {"model": "fake", "prompt": "Tell me of the river.", "max_tokens": tokens, "ignore_eos": True,
                "stream": True, "temperature": 0, "stream_options": {"include_usage": True},
                # The fake's tokens are bytes: without those that are no ASCII, each is an event.
                "logit_bias": {str(token): -100 for token in range(128, 260)}}
        # No history: what a node keeps of an answer grows with it and is not what is measured here.
        settings = (f"load.sequences={STREAMS}", f"load.queue={STREAMS}", "history.keep=0")
        command = self.home.serve(settings, ("--fake-engine", str(STREAM_STEP_MS)))
        with Server(command) as node:
            node.wait_until_healthy()
            model = json.loads(node.get("/v1/models"))["data"][0]["id"]
            requests = [("/v1/completions", {**body, "model": model})] * STREAMS
            sampler = subprocess.Popen([sys.executable, __file__, str(node.process.pid)],
                                       stdout=subprocess.PIPE, text=True)
            answers = send(self.programs["load"], node, requests, times=True)
            sampler.terminate()
            held = [float(line) for line in sampler.communicate()[0].splitlines()]
        dropped = sum(1 for a in answers
                      if a["error"] or not a["done"] or a["events"] != tokens)
        late = sorted(lateness for answer in answers for lateness in lateness_ms(answer))
        p50, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
        begin, end = held[len(held) // 4], held[-2]
        growth = end / begin - 1
        return {"figure": f"{STREAMS} open streams, {1000 // STREAM_STEP_MS} events/s each, {STREAM_SECONDS} s",
                "against": "limit", "target": "none dropped, p99 <= 50 ms late, memory flat",
                "result": f"{dropped} dropped, p99 {p99:.1f} ms",
                "reached": dropped == 0 and p99 <= 50 and growth < 0.05,
                "detail": f"{len(late)} events, p50 {p50:.1f} ms late; memory {begin:.0f} MB after a quarter, "
                          f"{end:.0f} MB at the end"}


def lateness_ms(answer):
    """How much later than one event each step, counted from the one that came soonest, each event came."""
    times = answer.get("times", [])
    due = [time - i * STREAM_STEP_MS for i, time in enumerate(times)]
    return [time - min(due) for time in due] if due else []


FIGURES = {"decode": Bench.decode, "decode-t1": Bench.decode_t1, "concurrent": Bench.concurrent,
           "start": Bench.start, "streams": Bench.streams}


def measure(programs, model, rounds, wanted):
    with Home(programs["loam"], model) as home:
        return measured(Bench(programs, model, rounds, home), FIGURES, wanted)


if __name__ == "__main__":  # the memory of a process family, once a second, in MB
    while True:
        print(memory_bytes(int(sys.argv[1])) / 2**20, flush=True)
        time.sleep(1)
