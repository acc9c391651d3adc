"""What methods fit beforehand is fitted once per teacher, data and key, and moves nobody's random stream."""

from __future__ import annotations

from pathlib import Path

import torch

from fgkd.models import create_backbone
from fgkd.signals import Batch, Needs
from fgkd.spec import BackboneSpec
from fgkd.teacher.live import Credentials, Teacher
from fgkd.teacher.survey import TeacherSurvey

CPU = torch.device("cpu")


def survey(folder: Path, data: str = "a", weights: str = "w", mean: float = 0.5) -> TeacherSurvey:
    network = create_backbone(BackboneSpec(name="test_vit", mean=mean), num_classes=4, view_size=32)
    teacher = Teacher(
        network,
        sight=network.input,
        shapes=network.shapes,
        head=network.head(),
        credentials=Credentials("t", None, weights, 1.0),
        device=CPU,
    )
    images = torch.randint(0, 256, (10, 3, 32, 32), dtype=torch.uint8)
    batches = [
        Batch(images[i : i + 4], torch.arange(10)[i : i + 4] % 4, torch.arange(10)[i : i + 4]) for i in (0, 4, 8)
    ]
    return TeacherSurvey(teacher, batches, folder=folder, data=data, device=CPU)


def test_passes_show_the_whole_split_in_order(tmp_path: Path) -> None:
    seen = list(survey(tmp_path).passes(Needs(pooled=True)))
    assert torch.cat([targets for _, targets in seen]).tolist() == [i % 4 for i in range(10)]
    assert all(signals.logits is None and not signals.pooled.requires_grad for signals, _ in seen)


def test_fits_are_kept_by_teacher_data_and_key(tmp_path: Path) -> None:
    calls = []

    def fit() -> dict[str, torch.Tensor]:
        calls.append(1)
        return {"centres": torch.randn(3)}

    first = survey(tmp_path).fitted("k", fit)["centres"]
    assert torch.equal(survey(tmp_path).fitted("k", fit)["centres"], first)
    assert len(calls) == 1
    survey(tmp_path).fitted("other", fit)
    survey(tmp_path, data="b").fitted("k", fit)
    survey(tmp_path, weights="v").fitted("k", fit)
    survey(tmp_path, mean=0.4).fitted("k", fit)
    assert len(calls) == 5


def test_fitting_or_reading_leaves_the_random_stream_where_it_was(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(())
    found = []
    for _ in range(2):  # fitted, then read
        asked = survey(tmp_path)
        torch.manual_seed(3)
        found.append(asked.fitted("k", lambda: {"x": torch.rand(5)})["x"])
        assert torch.rand(()) == expected
    assert torch.equal(*found)
