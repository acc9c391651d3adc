"""A retrieval protocol from its suite to its board: one half of the classes is known, the other is tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fgkd.cli.main import main
from fgkd.data import open_dataset
from fgkd.leaderboard import check_boards
from fgkd.record import RETRIEVAL, RunRecord, read_records
from fgkd.spec import DatasetSpec

SUITE = """
name: by_halves
version: 1
datasets: [{name: synthetic_birds, protocol: tiny-retrieval}]
teachers:
  - {backbone: test_resnet, size: 32, gate: 0.0, train: {epochs: 1, batch_size: 30, recipe: {lr: 0.01}}}
students: [{backbone: test_resnet, size: 32}]
methods: [scratch, kd, rkd]
view: {size: 32, augment: light}
recipe: {lr: 0.01}
epochs: 2
batch_size: 30
seeds: [0, 1]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite run in it."""
    folder = tmp_path_factory.mktemp("retrieval")
    (folder / "by_halves.yaml").write_text(SUITE)
    where = ["--results", str(folder / "results"), "--cache", str(folder / "cache")]
    assert main(["bench", "--suite", str(folder / "by_halves.yaml"), *where]) == 0
    return folder


@pytest.fixture(scope="module")
def records(folder: Path) -> list[RunRecord]:
    """What the suite left."""
    records, problems = read_records(folder / "results/by_halves/records")
    assert not problems
    return records


def test_test_is_judged_by_embeddings_and_the_holdout_by_its_classes(records):
    assert len(records) == 7
    for record in records:
        assert (record.data.task, record.data.classes, record.data.protocol) == ("retrieval", 12, "tiny-retrieval")
        for kind in ("test_last", "test_best"):
            assert set(record.metrics[kind]) >= {*RETRIEVAL, "tar_at_far_1e-1", "tar_at_far_1e-2", "eer"}
            assert not {"top1", "nll", "ece", "agreement"} & set(record.metrics[kind])
        assert {"top1", "nll", "ece", "mean_class_accuracy"} <= set(record.metrics["holdout_last"])
        assert record.predictions is None
        assert all("holdout_top1" in point for point in record.curve)
    taught = [record for record in records if record.teacher]
    assert len(taught) == 4
    assert all(r.teacher.test_top1 is None and r.teacher.holdout_top1 is not None for r in taught)
    assert all("agreement" in r.metrics["holdout_last"] for r in taught)


def test_figures_are_those_of_the_stored_weights(folder, records):
    """Recall@1 again, from the images on, with none of the code that trained, evaluated and recorded it."""
    import timm
    import torch
    from safetensors.torch import load_file

    from fgkd.data import EvalLoader
    from fgkd.spec import ViewSpec

    record = next(r for r in records if r.spec.method.label == "kd")
    data = open_dataset(DatasetSpec(name="synthetic_birds", protocol="tiny-retrieval"), folder, cache=folder / "cache")
    network = timm.create_model("test_resnet", num_classes=12)
    state = load_file(folder / "cache/weights" / record.run_id / "model.safetensors")
    network.load_state_dict({name.partition(".")[2]: value for name, value in state.items()})
    mean, std = (torch.tensor(network.pretrained_cfg[key])[:, None, None] for key in ("mean", "std"))
    batches = EvalLoader(data.test, ViewSpec(size=32, augment="light"), batch_size=50)
    with torch.no_grad():
        rows = [network.eval().forward_features((b.image / 255 - mean) / std).mean((2, 3)) for b in batches]
    unit = torch.nn.functional.normalize(torch.cat(rows))
    nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(1).numpy()
    recall = np.mean(data.test.targets[nearest] == data.test.targets)
    assert recall == pytest.approx(record.metric("recall_at_1"), abs=0.01)


def test_the_board_ranks_by_recall(folder, records):
    board = folder / "results/by_halves"
    assert check_boards(board) == []
    rows, cells = (pd.read_csv(board / f"{name}.csv") for name in ("leaderboard", "summary"))
    classification = ["top1", "top1_err", "top5", "top5_err", "best_top1", "ece", "nll", "agreement", "teacher_top1"]
    assert rows[classification].isna().all(axis=None)
    assert rows[["recall_at_1", "recall_at_2", "recall_at_8", "r_precision", "best_recall_at_1"]].notna().all(axis=None)
    assert (rows.recall_at_8 >= rows.recall_at_1).all()
    assert rows.recall_at_1.is_monotonic_decreasing
    assert cells[["top1_mean", "top1_sd", "top1_ci_low"]].isna().all(axis=None)
    kd, scratch = (cells[cells.method == name].iloc[0] for name in ("kd", "scratch"))
    score = {r.spec.seed: 100 * r.metric("recall_at_1") for r in records if r.spec.method.label == "kd"}
    base = {r.spec.seed: 100 * r.metric("recall_at_1") for r in records if r.spec.method.label == "scratch"}
    assert kd.recall_at_1_mean == pytest.approx(np.mean(list(score.values())), abs=1e-3)
    assert kd.recall_at_1_ci_low < kd.recall_at_1_mean < kd.recall_at_1_ci_high
    assert kd.delta_scratch == pytest.approx(np.mean([score[seed] - base[seed] for seed in score]), abs=1e-3)
    taught = cells[(cells.teacher != "") & cells.teacher.notna()].sort_values("rank")
    assert taught.recall_at_1_mean.is_monotonic_decreasing
    assert scratch.n == kd.n == 2
    page = (board / "README.md").read_text()
    assert "| rank | method | recall@1 % | vs scratch | vs kd |" in page
    assert "Retrieval protocols are ranked and compared by *recall@1*" in page
    assert "| test recall@1 % | hold-out top-1 % |" in page
    assert "| test top-1 % |" not in page


def test_no_class_can_be_judged(folder, records, capsys):
    assert not (folder / "results/by_halves/truth").exists()
    assert main(["board", "--per-class", records[0].run_id, "--results", str(folder / "results")]) == 2
    assert "retrieval has none" in capsys.readouterr().err
