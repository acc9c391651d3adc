"""Weights: where they come from, what must fit, what is recorded, and names by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fgkd.errors import UserError
from fgkd.models import Backbone, create_backbone, load_weights, problems, save_weights, weights_hash
from fgkd.spec import BackboneSpec

BIRDS = "mobilenetv2_100.inat_birds965.safetensors"
KERAS = "mobilenetv2_100.keras_in1k.safetensors"


def make(weights: str | None, classes: int, folder: Path | None, name: str = "test_resnet", **fields: Any) -> Backbone:
    spec = BackboneSpec(name=name, weights=weights, **fields)
    assert problems(spec, num_classes=classes, view_size=64, weights_folder=folder) == []
    return create_backbone(spec, num_classes=classes, view_size=64, weights_folder=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A weights folder with `five.safetensors`: test_resnet, five classes."""
    torch.manual_seed(3)
    save_weights(timm.create_model("test_resnet", num_classes=5), tmp_path / "five.safetensors")
    return tmp_path


def test_scratch_has_a_fresh_head() -> None:
    backbone = make("none", 5, None, name="test_resnet.r160_in1k")
    assert backbone.head_is_fresh


@pytest.mark.parametrize("by_path", [True, False])
def test_a_file_fills_every_tensor(folder: Path, by_path: bool) -> None:
    backbone = make(str(folder / "five.safetensors") if by_path else "five.safetensors", 5, folder)
    saved = load_file(folder / "five.safetensors")
    assert all(torch.equal(value, saved[key]) for key, value in backbone.net.state_dict().items())
    assert not backbone.head_is_fresh


def test_a_file_alone_is_a_spelling_of_its_network(folder: Path) -> None:
    (name,) = (path.name for path in folder.glob("*.safetensors"))
    copy = (folder / name).rename(folder / "test_resnet.mine.safetensors")
    spec = BackboneSpec.model_validate(str(copy))
    assert spec == BackboneSpec(name="test_resnet", weights=str(copy))
    assert problems(spec, num_classes=5, view_size=64) == []
    assert not create_backbone(spec, num_classes=5, view_size=64).head_is_fresh
    by_name = BackboneSpec.model_validate({"backbone": copy.name, "size": 48})
    assert problems(by_name, num_classes=5, view_size=64, weights_folder=folder) == []


def test_another_class_count_gets_a_fresh_head_and_says_so(folder: Path) -> None:
    backbone = make("five.safetensors", 7, folder)
    saved = load_file(folder / "five.safetensors")
    assert backbone.head_is_fresh
    assert backbone.head().weight.shape == (7, 96)
    assert torch.equal(backbone.net.conv1[0].weight, saved["conv1.0.weight"])


def test_weights_without_a_head_get_a_fresh_one(folder: Path) -> None:
    state = {k: v for k, v in load_file(folder / "five.safetensors").items() if not k.startswith("fc.")}
    save_file(state, folder / "headless.safetensors")
    assert make("headless.safetensors", 5, folder).head_is_fresh


@pytest.mark.shared
@pytest.mark.parametrize(("file", "own"), [(KERAS, 1000), (BIRDS, 965)])
def test_real_weights(file: str, own: int, shared_weights: Path) -> None:
    same = {"name": "mobilenetv2_100", "kwargs": {"pad_type": "same"}}
    backbone = make(file, own, shared_weights, **same)
    saved = load_file(shared_weights / file)
    assert not backbone.head_is_fresh
    assert torch.equal(backbone.head().weight, saved["classifier.weight"])
    fresh = make(file, 50, shared_weights, **same)
    assert fresh.head_is_fresh
    assert all(torch.equal(v, saved[k]) for k, v in fresh.net.state_dict().items() if not k.startswith("classifier"))


def test_what_does_not_fit_is_listed(folder: Path) -> None:
    state = load_file(folder / "five.safetensors")
    state["strange"] = torch.zeros(1)
    del state["bn1.bias"]
    state["layer1.0.bn1.weight"] = torch.zeros(3)
    save_file(state, folder / "odd.safetensors")
    spec = BackboneSpec(name="test_resnet", weights="odd.safetensors")
    with pytest.raises(UserError) as raised:
        create_backbone(spec, num_classes=5, view_size=64, weights_folder=folder)
    for part in ("bn1.bias (missing)", "strange (unexpected)", "layer1.0.bn1.weight (shape (3,), expected (32,))"):
        assert part in str(raised.value)
    (problem,) = problems(spec, num_classes=5, view_size=64, weights_folder=folder)
    assert str(raised.value) in problem


def test_a_head_of_another_width_is_no_other_class_count(folder: Path) -> None:
    state = load_file(folder / "five.safetensors")
    state["fc.weight"] = torch.zeros(5, 95)
    save_file(state, folder / "narrow.safetensors")
    with pytest.raises(UserError, match=r"fc.weight \(shape \(5, 95\), expected \(5, 96\)\)"):
        create_backbone(
            BackboneSpec(name="test_resnet", weights="narrow.safetensors"),
            num_classes=5,
            view_size=64,
            weights_folder=folder,
        )


def test_positional_embeddings_are_resampled(tmp_path: Path) -> None:
    source = timm.create_model("test_vit", num_classes=5, img_size=96)
    save_weights(source, tmp_path / "vit.safetensors")
    backbone = make("vit.safetensors", 5, tmp_path, name="test_vit")
    assert source.pos_embed.shape[1] - backbone.net.pos_embed.shape[1] == 36 - 16
    assert torch.equal(backbone.net.blocks[0].attn.qkv.weight, source.blocks[0].attn.qkv.weight)
    assert not backbone.head_is_fresh
    expected = timm.layers.resample_abs_pos_embed(source.pos_embed, new_size=(4, 4), num_prefix_tokens=1)
    torch.testing.assert_close(backbone.net.pos_embed, expected)


def test_what_belongs_to_a_deeper_sibling_is_listed(tmp_path: Path) -> None:
    """timm's filter for Swin looks each block of the file up in the network."""
    small = {"embed_dim": 8, "num_heads": [1, 1, 1, 1], "img_size": 64, "depths": [1, 1, 1, 1]}
    deeper = timm.create_model("swin_tiny_patch4_window7_224", **{**small, "depths": [1, 1, 2, 1]})
    save_weights(deeper, tmp_path / "swin.safetensors")
    spec = BackboneSpec(name="swin_tiny_patch4_window7_224", weights="swin.safetensors", kwargs=small)
    (problem,) = problems(spec, num_classes=5, view_size=64, weights_folder=tmp_path)
    assert "swin.safetensors do not fit SwinTransformer: layers.2.blocks.1" in problem


def test_timms_own_format_in_a_folder(tmp_path: Path) -> None:
    torch.manual_seed(4)
    source = timm.create_model("test_resnet", num_classes=5)
    timm.models.save_for_hf(source, tmp_path, safe_serialization=True)
    name = f"local-dir:{tmp_path}"
    kept = make(None, 5, None, name=name)
    assert not kept.head_is_fresh
    assert weights_hash(kept.net) == weights_hash(source)
    fresh = make(None, 9, None, name=name)
    assert fresh.head_is_fresh
    assert torch.equal(fresh.net.conv1[0].weight, source.conv1[0].weight)


def test_a_fixed_size_network_in_a_folder_takes_the_views_size(tmp_path: Path) -> None:
    source = timm.create_model("vit_tiny_patch16_224", num_classes=5, embed_dim=24, depth=4, num_heads=3)
    timm.models.save_for_hf(source, tmp_path, safe_serialization=True)
    backbone = make(None, 5, None, name=f"local-dir:{tmp_path}")
    assert backbone.net.pos_embed.shape[1] == 16 + 1
    assert backbone.shapes.stages[-1] == (24, 4, 4)


def test_timms_classifier_is_kept_where_the_classes_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    real = timm.create_model
    monkeypatch.setattr(
        "timm.create_model", lambda name, pretrained=False, **kwargs: real(name, pretrained=False, **kwargs)
    )
    spec = BackboneSpec(name="test_resnet", weights="timm")
    assert not create_backbone(spec, num_classes=1000, view_size=64).head_is_fresh
    assert create_backbone(spec, num_classes=5, view_size=64).head_is_fresh


# --- files ---------------------------------------------------------------------------------------------------------


def reason(weights: str, folder: Path | None, name: str = "test_resnet") -> str:
    spec = BackboneSpec(name=name, weights=weights)
    (problem,) = problems(spec, num_classes=5, view_size=64, weights_folder=folder)
    return problem


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin"])
def test_pickles_are_refused_with_the_reason(tmp_path: Path, suffix: str) -> None:
    torch.save({}, tmp_path / f"x{suffix}")
    assert "is a pickle, which can run code" in reason(f"x{suffix}", tmp_path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    assert "expected a .safetensors file" in reason("x.npz", tmp_path)


def test_a_missing_file_names_the_folder_and_the_nearest(folder: Path) -> None:
    text = reason("fve.safetensors", folder)
    assert f"looked in {folder}" in text
    assert "did you mean five.safetensors?" in text
    assert "does not exist" in reason(str(folder / "no" / "five.safetensors"), None)


def test_a_truncated_file_is_found_without_reading_it_all(folder: Path) -> None:
    path = folder / "five.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "not a whole .safetensors file" in reason("five.safetensors", folder)
    with pytest.raises(UserError, match="not a whole"):
        load_weights(timm.create_model("test_resnet", num_classes=5), path)


def test_a_file_of_rubbish(folder: Path) -> None:
    (folder / "five.safetensors").write_bytes(b"rubbish")
    assert "not a whole .safetensors file" in reason("five.safetensors", folder)


def test_saved_weights_come_back_and_leave_nothing_beside(tmp_path: Path) -> None:
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    save_weights(first, tmp_path / "deep" / "x.safetensors")
    save_weights(first, tmp_path / "deep" / "x.safetensors")
    load_weights(second, tmp_path / "deep" / "x.safetensors")
    assert torch.equal(first.weight, second.weight)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["x.safetensors"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    save_weights(nn.Linear(3, 2), path)
    before = path.read_bytes()

    def half(state: object, part: Path, metadata: object) -> None:
        part.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("fgkd.models.weights.save_file", half)
    with pytest.raises(OSError, match="disk full"):
        save_weights(nn.Linear(3, 2), path)
    assert path.read_bytes() == before


def test_load_weights_is_strict(tmp_path: Path) -> None:
    save_weights(nn.Linear(3, 2, bias=False), tmp_path / "x.safetensors")
    with pytest.raises(UserError, match=r"bias \(missing\)"):
        load_weights(nn.Linear(3, 2), tmp_path / "x.safetensors")


# --- names by content ----------------------------------------------------------------------------------------------


class Pair(nn.Module):
    def __init__(self, order: str = "ab", dtype: torch.dtype = torch.float32, shape: tuple[int, ...] = (2, 2)) -> None:
        super().__init__()
        for name in order:
            self.register_buffer(name, torch.full(shape, float(ord(name)), dtype=dtype))


def test_hash_is_of_content_alone() -> None:
    assert weights_hash(Pair()) == weights_hash(Pair("ba"))
    assert len(weights_hash(Pair())) >= 12
    others = {weights_hash(Pair("ac")), weights_hash(Pair(dtype=torch.float64)), weights_hash(Pair(shape=(4,)))}
    changed = Pair()
    changed.a[0, 0] += 1
    assert len(others | {weights_hash(Pair()), weights_hash(changed)}) == 5


def test_hash_tells_types_of_equal_bytes_apart() -> None:
    zeros = [Pair(dtype=dtype) for dtype in (torch.float32, torch.int32)]
    for module in zeros:
        module.a.zero_()
        module.b.zero_()
    assert weights_hash(zeros[0]) != weights_hash(zeros[1])


def test_hash_reads_scalars_and_half_precision() -> None:
    assert weights_hash(nn.BatchNorm2d(3).bfloat16()) != weights_hash(nn.BatchNorm2d(3).half())
