"""Latencies: measured by the clock, kept by device, found by network."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from fgkd.cli.main import main
from fgkd.errors import UserError
from fgkd.facts import StudentFacts
from fgkd.leaderboard import check_boards, write_boards
from fgkd.models.latency import FEWEST, WARM_UP, threads, time_network
from fgkd.record import write_record
from fgkd.report.comparison import cells_of
from fgkd.report.html.latency import with_latency
from fgkd.report.latency import Latency, latencies_of, latency_path, read_latencies, write_latencies
from tests.board_factory import record, run_spec
from tests.hand_clock import HandClock

ROW = Latency("net", 32, 10, 20, 1.5, 2.5, 64, 1000.0, "Some CPU", 2, "fp32", "2.0", "1.0", "2026-01-01T00:00:00+00:00")
CPU = torch.device("cpu")


class Sleeper(nn.Module):
    """Takes a known time: a part for the call, and a part for each image; every fifth call twice as long."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.calls = clock, []

    def forward(self, images):
        assert torch.is_inference_mode_enabled()
        assert not self.training
        self.calls.append(tuple(images.shape))
        self.clock.sleep((0.002 + 0.0005 * len(images)) * (1 + (len(self.calls) % 5 == 0)))
        return images


def test_times_are_of_one_image_and_of_batches(monkeypatch):
    clock = HandClock()
    monkeypatch.setattr("fgkd.models.latency.time", clock)
    sleeper = Sleeper(clock)
    found = time_network(sleeper, 16, batch_size=8, device=CPU, seconds=0)
    assert sleeper.calls == [(1, 3, 16, 16)] * (WARM_UP + FEWEST) + [(8, 3, 16, 16)] * (WARM_UP + FEWEST)
    assert found.batch1_ms == pytest.approx(2.5)
    assert found.batch1_ms_p90 == pytest.approx(5)
    assert found.images_per_second == pytest.approx(8 / 0.006)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with threads(before + 1) as count:
        assert count == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_rows_are_kept_by_device_and_the_last_counts(tmp_path):
    faster = Latency(**{**vars(ROW), "batch1_ms": 0.5})
    gpu = Latency(**{**vars(ROW), "device": "NVIDIA H200", "threads": 0})
    other = Latency(**{**vars(ROW), "batch_size": 8})
    write_latencies(tmp_path, [ROW, gpu])
    write_latencies(tmp_path, [faster, other])
    assert latency_path(tmp_path, ROW.place).name == "some-cpu-2-threads-fp32.csv"
    assert latency_path(tmp_path, gpu.place).name == "nvidia-h200-fp32.csv"
    assert read_latencies(tmp_path) == ([gpu, other, faster], [])


@pytest.mark.parametrize("number", ["fast", "nan", "inf"])
def test_a_damaged_file_is_told(tmp_path, number):
    write_latencies(tmp_path, [ROW])
    path = latency_path(tmp_path, ROW.place)
    path.write_text(path.read_text().replace("1.5", number))
    (problem,) = read_latencies(tmp_path)[1]
    assert "expected latencies as fgkd latency writes them" in problem
    with pytest.raises(UserError, match="measure again"):
        write_latencies(tmp_path, [ROW])


@pytest.fixture
def suite(tmp_path):
    """Runs of one network under two methods, and of another that deploys more."""
    student = StudentFacts(img_size=32, param_count=400_000, macs=9_000_000)
    more = StudentFacts(img_size=32, param_count=500_000, macs=9_500_000, deployed_extra=True)
    for method, facts in (("kd", student), ("at", student), ("simkd", more)):
        teacher = {"backbone": "test_vit"}
        spec = run_spec(method, student="test_resnet", teacher=teacher, view={"size": 32})
        write_record(record(spec, student=facts), tmp_path / "tiny/records")
    return tmp_path / "tiny"


def test_command_times_each_different_network_of_a_suite_once(suite, capsys):
    flags = ["--results", str(suite.parent), "--seconds", "0.01", "--batch-size", "2", "--device", "cpu"]
    assert main(["latency", "--suite", "tiny", *flags, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sorted((row["student"], row["param_count"]) for row in rows) == [
        ("test_resnet", 400_000),
        ("test_resnet", 500_000),
    ]
    assert all(row["batch1_ms"] > 0 and row["images_per_second"] > 0 and row["batch_size"] == 2 for row in rows)
    kd = run_spec("kd", student="test_resnet", teacher={"backbone": "test_vit"}, view={"size": 32})
    found = latencies_of(suite, record(kd, student=StudentFacts(img_size=32, param_count=400_000, macs=9_000_000)))
    assert len(found) == 2
    assert main(["latency", "at", *flags]) == 0
    assert len(read_latencies(suite)[0]) == 2, "the same network again"
    assert "from pixels to logits on the device" in capsys.readouterr().out


def test_command_times_networks_of_timm_and_keeps_nothing(tmp_path, capsys):
    flags = ["--results", str(tmp_path), "--seconds", "0.01", "--batch-size", "2", "--device", "cpu", "--size", "32"]
    assert main(["latency", "test_resnet", *flags, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["student"], row["img_size"]) == ("test_resnet", 32)
    assert list(tmp_path.iterdir()) == []


def test_the_page_shows_one_place_alone():
    student = StudentFacts(img_size=32, param_count=10, macs=20)
    cells = cells_of([record(run_spec("kd", student="net"), student=student), record(run_spec("kd", student="other"))])
    slower = Latency(**{**vars(ROW), "device": "Other CPU", "batch1_ms": 9.0})
    rows = with_latency([{"a": 1}, {"a": 2}], cells, [ROW, slower])
    assert rows == [{"a": 1, "latency": 1.5}, {"a": 2, "latency": None}]
    assert with_latency([{"a": 1}], cells, []) == [{"a": 1}]


def test_boards_show_what_was_measured(tmp_path):
    kd = record(run_spec("kd", student="net"), student=StudentFacts(img_size=32, param_count=10, macs=20))
    write_record(kd, tmp_path / "records")
    write_boards(tmp_path)
    assert "## Latency" not in (tmp_path / "README.md").read_text()
    write_latencies(tmp_path, [ROW])
    write_boards(tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "| net | 32 | 0.00 | 1.50 | 2.50 | 64 | 1000 | Some CPU, 2 threads, fp32 |" in page
    assert check_boards(tmp_path) == []
    assert "Some CPU, 2 threads, fp32" in (tmp_path / "report.html").read_text()
    latency_path(tmp_path, ROW.place).write_text("student\nnet\n")
    assert any("expected latencies" in line for line in write_boards(tmp_path).problems)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "expected run ids, names of networks, or --suite"),
        (["test_resnet", "--batch-size", "0"], "expected numbers above 0"),
        (["test_resnet", "--device", "abacus"], "--device abacus"),
        (["no_such_network"], "no_such_network"),
    ],
)
def test_mistakes_are_told(flags, said, tmp_path, capsys):
    assert main(["latency", *flags, "--results", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err
