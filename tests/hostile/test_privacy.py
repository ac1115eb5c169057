"""No prompt, answer or key ever enters a log line."""
import json

import harness

PLANTED = ["zanzibar-prompt-7731", "quokka-system-4412", "pelican-stop-9080"]


def test_planted_words_are_in_no_log(tmp_path):
    home = tmp_path / "home"
    with harness.Node(home=home, fake_step_ms=1, settings=["log.level=debug"]) as node:
        made = harness.run_loam("key", "new", "planted", "--scopes", "infer", "--json", home=home, url=node.url)
        secret = json.loads(made.stdout)["secret"]
        headers = {"authorization": f"Bearer {secret}"}
        chat = {"model": "fake", "messages": [{"role": "system", "content": PLANTED[1]}, {"role": "user", "content": PLANTED[0]}],
                "max_tokens": 40, "stop": [PLANTED[2]]}
        status, reply = node.post("/v1/chat/completions", chat, headers=headers)
        assert status == 200
        answer = reply["choices"][0]["message"]["content"]
        status, _, _ = node.request("POST", "/v1/chat/completions", {**chat, "stream": True}, headers=headers)
        assert status == 200
        # Errors must not quote what was sent either.
        node.request("POST", "/v1/chat/completions", {**chat, "temperature": PLANTED[0]}, headers=headers)
        node.request("POST", "/v1/completions", f'{{"model":"fake","prompt":"{PLANTED[0]}",'.encode(), headers=headers)
        node.request("POST", "/v1/completions", {"model": PLANTED[0], "prompt": PLANTED[1]}, headers=headers)
        node.request("POST", "/v1/completions", {"model": "fake", "prompt": PLANTED[0] + "\n!crash\n", "max_tokens": 5}, headers=headers)
        node.request("GET", f"/v1/models?key={secret}", headers={"authorization": f"Bearer {secret}x"})
        token = node.token()
    logs = [path for path in [node.log_path, *home.rglob("*.log")] if path.exists()]
    assert logs
    text = "".join(path.read_text(errors="replace") for path in logs)
    assert "info" in text
    words = PLANTED + [secret, token] + [word for word in answer.split() if len(word) > 8][:5]
    for word in words:
        assert word not in text, f"a log holds {word!r}"
