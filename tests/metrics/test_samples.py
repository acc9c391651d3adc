"""A split judged in any batches is the split judged whole; a thinned split is the same for any number of processes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fgkd.metrics import Thinned, figures, fit_temperature, judge, reliability, summarise
from fgkd.metrics.calibration import calibration_error, confidence, ece, nll
from fgkd.metrics.verification import ROC_FARS, roc, tar_at_far
from tests.metrics.test_accuracy import some

same = lambda rows: rows


def in_batches(size, *tensors):
    return zip(*(tensor.split(size) for tensor in tensors), strict=True)


@pytest.mark.parametrize("size", [1, 7, 64, 90])
def test_batches_change_no_bit(size):
    logits, targets = some(90, 12)
    teacher = some(90, 12, seed=5)[0]
    parts = [judge(a, t, teacher_logits=b, temperature=1.3) for a, t, b in in_batches(size, logits, targets, teacher)]
    whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    assert figures(whole, targets) == summarise(logits, targets, teacher_logits=teacher, temperature=1.3)


def test_a_sample_costs_a_few_numbers_however_many_the_classes():
    logits, targets = torch.randn(4, 1000), torch.arange(4)
    found = judge(logits, targets, teacher_logits=logits, temperature=2.0)
    assert len(found) == 8
    assert all(value.shape == (4,) for value in found.values())


def test_calibration_is_judged_at_the_temperature_given():
    logits, targets = some(400, 5)
    found = figures(judge(3 * logits, targets, temperature=3.0), targets)
    assert found["ece_calibrated"] == pytest.approx(ece(logits, targets).item())
    assert found["ece"] == pytest.approx(ece(3 * logits, targets).item())


def test_a_reliability_diagram_adds_up_to_the_error():
    logits, targets = some(500, 6)
    sure, right = confidence(2 * logits), logits.argmax(1) == targets
    rows = reliability(sure, right, bins=10)
    assert sum(share for *_, share in rows) == pytest.approx(1, abs=1e-5)
    assert sum(share * acc for _, acc, share in rows) == pytest.approx(right.double().mean().item(), abs=1e-5)
    error = calibration_error(sure, right, bins=10).item()
    assert sum(share * abs(acc - conf) for conf, acc, share in rows) == pytest.approx(error, abs=1e-5)
    assert [conf for conf, *_ in rows] == sorted(conf for conf, *_ in rows)


def test_sklearn_draws_the_same_reliability_diagram():
    calibration = pytest.importorskip("sklearn.calibration")
    logits, targets = some(500, 6)
    sure, right = confidence(2 * logits), logits.argmax(1) == targets
    accuracy, mean = calibration.calibration_curve(right.numpy(), sure.numpy(), n_bins=10)
    rows = reliability(sure, right, bins=10)
    assert [row[1] for row in rows] == pytest.approx(accuracy, abs=1e-5)
    assert [row[0] for row in rows] == pytest.approx(mean, abs=1e-5)


def test_the_roc_is_tar_at_each_far_and_rises():
    draw = torch.Generator().manual_seed(0)
    genuine, impostor = torch.randn(3000, generator=draw) + 1.5, torch.randn(20_000, generator=draw)
    points = roc(genuine, impostor)
    assert [far for far, _ in points] == [round(far, 6) for far in ROC_FARS]
    tars = [tar for _, tar in points]
    assert tars == sorted(tars)
    assert tars[-1] == 1
    for i in (0, 4, 8, 12):  # 1e-4, 1e-3, 1e-2, 1e-1
        assert tars[i] == pytest.approx(tar_at_far(genuine, impostor, ROC_FARS[i]).item(), abs=1e-6)
    assert len(roc(genuine, impostor[:1000])) == 13, "rates below one in a thousand cannot be told"


def test_sklearns_roc_passes_through_ours():
    metrics = pytest.importorskip("sklearn.metrics")
    draw = torch.Generator().manual_seed(1)
    genuine, impostor = torch.randn(2000, generator=draw) + 1, torch.randn(10_000, generator=draw)
    truth = torch.cat([torch.ones(2000), torch.zeros(10_000)])
    far, tar, _ = metrics.roc_curve(truth, torch.cat([genuine, impostor]), drop_intermediate=False)
    for ours_far, ours_tar in roc(genuine, impostor):
        assert ours_tar == pytest.approx(tar[far <= ours_far + 1e-9].max(), abs=1e-6)


# thinning


def thin(rows, size, budget, processes=1):
    """Rows kept where each process has a contiguous share and reads it in batches."""
    shares = torch.arange(len(rows)).tensor_split(processes)
    each = []
    for share in shares:
        thinned = Thinned(budget)
        for positions in share.split(size):
            thinned.add(rows[positions], positions)
            assert sum(part.numel() for part in thinned._rows) <= budget + rows.shape[1]
        each.append(thinned)
    # what a gather gives every process: the parts of all, in order
    parts = iter([torch.cat([torch.cat(t._rows) for t in each]), torch.cat([torch.cat(t._positions) for t in each])])
    gather = lambda x: next(parts, torch.tensor([t._stride for t in each]))
    return each[0].rows(gather)


@settings(max_examples=60)
@given(st.integers(1, 90), st.integers(1, 20), st.integers(4, 400), st.integers(1, 4))
def test_what_is_kept_depends_on_the_length_alone(n, size, budget, processes):
    rows = torch.arange(n * 4.0).view(n, 4)
    processes = min(processes, n)
    found, positions = thin(rows, size, budget, processes)
    stride = 1
    while -(-n // stride) * 4 > budget and stride < n:
        stride *= 2
    assert positions.tolist() == list(range(0, n, stride))
    assert torch.equal(found, rows[positions])


def test_a_small_split_is_kept_whole():
    rows = torch.randn(50, 8)
    thinned = Thinned()
    for part, positions in in_batches(16, rows, torch.arange(50)):
        thinned.add(part, positions)
    assert torch.equal(thinned.rows(same)[0], rows)


def test_an_even_share_gives_nearly_the_same_temperature():
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(8000, 10, generator=draw)
    targets = torch.multinomial(logits.softmax(1), 1, generator=draw).squeeze(1)
    thinned = Thinned(20_000)
    for part, positions in in_batches(100, 3 * logits, torch.arange(8000)):
        thinned.add(part, positions)
    kept, positions = thinned.rows(same)
    assert len(kept) == 2000
    assert fit_temperature(kept, targets[positions]) == pytest.approx(fit_temperature(3 * logits, targets), rel=0.05)
    assert nll(kept / 3, targets[positions]) < nll(kept, targets[positions])
