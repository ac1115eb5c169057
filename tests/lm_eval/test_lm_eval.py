"""lm-eval, unchanged, through `local-completions`: its log-likelihoods are those of a small program on libllama alone.

The task is loam_toy.yaml beside this file. LOAM_ORACLE names the second program (default: where the release build puts it).
"""
import os
import subprocess
from pathlib import Path

import harness
import lm_eval
import lm_eval.tasks
import pytest
from lm_eval.models.openai_completions import LocalCompletionsAPI

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def scored(node):
    """Everything that lm-eval asked and concluded: (token ids, context length, sum of logprobs, greedy?)."""
    seen = []
    conclude = LocalCompletionsAPI.parse_logprobs

    def recording(outputs, tokens=None, ctxlens=None, **more):
        results = conclude(outputs, tokens=tokens, ctxlens=ctxlens, **more)
        seen.extend(zip(tokens, ctxlens, results, strict=True))
        return results

    LocalCompletionsAPI.parse_logprobs = staticmethod(recording)
    here = os.getcwd()
    os.chdir(HERE)  # the task names its data by a relative path
    try:
        results = lm_eval.simple_evaluate(
            model="local-completions",
            model_args={"model": "smollm2", "base_url": node.url + "/v1/completions", "tokenizer_backend": "remote",
                        "num_concurrent": 1, "max_retries": 1, "max_length": 2048},
            tasks=["loam_toy"], task_manager=lm_eval.tasks.TaskManager(include_path=str(HERE), include_defaults=False),
            bootstrap_iters=0)
    finally:
        os.chdir(here)
        LocalCompletionsAPI.parse_logprobs = staticmethod(conclude)
    return seen, results


def test_log_likelihoods_equal_the_oracles(scored):
    seen, _ = scored
    assert len(seen) >= 30
    expected = harness.oracle([tokens for tokens, _, _ in seen])
    worst = 0.0
    for (tokens, context, (total, _)), logprobs in zip(seen, expected, strict=True):
        assert len(logprobs) == len(tokens) - 1
        worst = max(worst, abs(total - sum(logprobs[context - 1:])))
    print(f"{len(seen)} log-likelihoods, worst difference {worst:.2e}")
    assert worst <= TOLERANCE


def test_the_model_knows_more_than_chance(scored):
    _, results = scored
    assert results["results"]["loam_toy"]["acc,none"] > 0.4
