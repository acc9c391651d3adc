"""What can be found wrong with a backbone before training, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fgkd.errors import UserError
from fgkd.models import create_backbone, hub, problems
from fgkd.spec import BackboneSpec, ViewSpec


def found(name: str, view_size: int = 64, **fields: Any) -> str:
    """The one problem of a spec; empty without any."""
    texts = problems(BackboneSpec(name=name, **fields), num_classes=5, view_size=view_size, weights_folder=None)
    assert len(texts) <= 1
    return texts[0] if texts else ""


def test_nothing_is_wrong_with_a_plain_name() -> None:
    assert found("test_resnet") == ""


def test_a_misspelt_name_gets_near_names() -> None:
    assert "unknown timm network 'test_resnot'; did you mean test_resnet" in found("test_resnot")
    with pytest.raises(UserError, match="did you mean test_resnet"):
        create_backbone(BackboneSpec(name="test_resnot"), num_classes=5, view_size=64)


def test_an_unknown_tag_gets_near_tags() -> None:
    assert "unknown weights tag of resnet18 'a1_in2k'; did you mean a1_in1k" in found("resnet18.a1_in2k")


@pytest.mark.parametrize(("name", "text"), [("timm/resnet18", "hf-hub:timm/resnet18"), ("ftp:x", "source 'ftp'")])
def test_names_with_a_strange_source(name: str, text: str) -> None:
    assert text in found(name)


def test_wrong_keyword_arguments() -> None:
    text = found("test_resnet", kwargs={"pad_typ": "same"})
    assert "cannot be built with {'pad_typ': 'same'" in text
    assert "unexpected keyword argument 'pad_typ'" in text


def test_what_decides_weights_and_classes_is_not_a_keyword_argument() -> None:
    assert "checkpoint_path, num_classes cannot be set there" in found(
        "test_resnet", kwargs={"num_classes": 3, "checkpoint_path": "x.pth"}
    )


@pytest.mark.parametrize(
    ("name", "size", "nearest"),
    [
        ("vit_tiny_patch16_224", 65, 64),
        ("test_vit", 95, 96),
        ("efficientformer_l1", 200, 224),
        ("inception_v3", 64, 96),
    ],
)
def test_a_size_that_does_not_fit_names_the_nearest_that_does(name: str, size: int, nearest: int) -> None:
    assert f"images of {size} px do not fit" in found(name, size)
    assert found(name, size).endswith(f"the nearest size that does is {nearest}")
    assert found(name, nearest) == ""


def test_rectangles_are_refused_with_a_square() -> None:
    assert BackboneSpec(name="test_vit", size=[3, 96, 96]) == BackboneSpec(name="test_vit", size=96)
    with pytest.raises(ValidationError, match=r"found 96 x 128: .* is 96"):
        BackboneSpec(name="test_vit", size=[96, 128])
    with pytest.raises(ValidationError, match=r"found 100 x 250: .* is 160"):
        ViewSpec(size=(100, 250))
    assert "kwargs.img_size: expected one number of px, found 64 x 96" in found(
        "vit_tiny_patch16_224", kwargs={"img_size": [64, 96]}
    )


def test_an_unknown_network_without_near_names_is_told_in_one_line() -> None:
    assert found("qqqqq") == (
        "backbone qqqqq: unknown timm network 'qqqqq'; `fgkd backbones PATTERN` lists those whose names match"
    )


def test_a_plan_asks_for_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fgkd.models.check.weights_problem", lambda name: f"cannot fetch {name}")
    spec = BackboneSpec(name="test_resnet.r160_in1k")
    assert problems(spec, num_classes=5, view_size=64) != []
    assert problems(spec, num_classes=5, view_size=64, with_weights=False) == []


def test_the_specs_own_size_goes_before_the_views() -> None:
    assert "images of 65 px do not fit" in found("test_vit", 65)
    assert found("test_vit", 65, size=64) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("volo_d1_224", "use_aux_head: false"),
        ("efficientvim_m1", "weighs the logits of several classifiers"),
        ("resnet50_clip", "not from one pooled vector"),
        ("mobilenetv5_300m_enc", "no linear classifier"),
    ],
)
def test_families_that_cannot_be_served_are_refused_with_the_reason(name: str, reason: str) -> None:
    assert reason in found(name, 224)


def test_what_is_refused_cannot_be_read_either() -> None:
    """The refusals by structure are those that values show."""
    network = create_backbone(BackboneSpec(name="efficientvim_m1"), num_classes=5, view_size=64)
    with pytest.raises(UserError, match="not one linear layer's answer"):
        _ = network.shapes


# --- downloads -----------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub that cannot be reached, and the addresses that were tried."""
    urls: list[str] = []
    for answer in (hub.weights_problem, hub.config_problem, hub.hub_unreachable):
        answer.cache_clear()
    monkeypatch.setattr(hub, "_unanswered", lambda url: urls.append(url) or "no route")
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *a, **k: None)
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    yield urls
    for answer in (hub.weights_problem, hub.config_problem, hub.hub_unreachable):
        answer.cache_clear()


def test_weights_that_cannot_be_downloaded(asked: list[str]) -> None:
    for name in ("resnet18.a1_in1k", "resnet34.a1_in1k", "resnet18.a1_in1k"):
        text = found(name)
        assert "not in the local cache" in text
        assert "cannot be reached (no route)" in text
    assert len(asked) == 1, "an unreachable hub is tried once"


def test_offline_mode_is_named(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in found("hf-hub:timm/resnet18.a1_in1k")
    assert asked == []


def test_cached_weights_need_no_hub(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *a, **k: "somewhere/model.safetensors")
    assert found("test_resnet.r160_in1k") == ""
    assert asked == []


def test_the_hubs_answers(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_unanswered", lambda url: None)
    heads: list[str] = []

    def only_bin(url: str, timeout: float) -> None:
        heads.append(url)
        if not url.endswith(".bin"):
            raise hub.EntryNotFoundError("404")

    monkeypatch.setattr(hub, "get_hf_file_metadata", only_bin)
    assert found("test_resnet.r160_in1k") == ""
    assert [url.rsplit("/", 1)[-1] for url in heads] == ["model.safetensors", "pytorch_model.bin"]

    hub.weights_problem.cache_clear()
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda url, timeout: 1 / 0)
    assert "failed: ZeroDivisionError" in found("test_resnet.r160_in1k")


def test_a_network_without_weights_says_so() -> None:
    assert "timm has no weights for starnet_s050" in found("starnet_s050", weights="timm")


def test_a_folder_without_a_network(tmp_path: Path) -> None:
    assert "no config.json" in found(f"local-dir:{tmp_path}")
