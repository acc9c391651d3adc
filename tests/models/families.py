"""The smallest member of each family of timm networks, shrunk further where its arguments allow it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """A network and what is known of it by reading timm, apart from what fgkd finds out.

    Attributes:
        mean: is what the classifier reads the plain mean of the final map?
        classifies: does the final map alone decide the logits?
        stages: how many of the four stages there are.
        tokens: are the maps folded tokens?
        unread: parts of parameter names that no image's logits or stages ever read.
        hooked: whether the stages can be caught on their way through timm's plain forward; not where a module gives
            several tensors or where timm reorders them afterwards.
    """

    name: str
    size: int = 64
    kwargs: dict[str, Any] = field(default_factory=dict)
    mean: bool = True
    classifies: bool = True
    stages: int = 4
    tokens: bool = False
    unread: tuple[str, ...] = ()
    hooked: bool = True

    def __str__(self) -> str:
        return self.name + ("*" if self.kwargs else "")


SMALL = {"embed_dim": 24, "depth": 4, "num_heads": 3}
TOKEN = {"mean": False, "classifies": False, "tokens": True}  # the class token decides
SWIN = {"embed_dim": 16, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 2, 4)}

FAMILIES = [
    Family("test_resnet"),
    Family("resnext26ts"),
    Family("skresnet18"),
    Family("resnetv2_18"),
    Family("regnetx_002"),
    Family("densenet121", kwargs={"growth_rate": 8, "block_config": (2, 2, 2, 2)}),
    Family("vgg11", mean=False),
    Family("dpn48b"),
    Family("inception_v3", 80),
    Family("legacy_xception", 80),
    Family("dla46x_c"),
    Family("ese_vovnet19b_slim_dw"),
    Family("cs3darknet_focus_s"),
    Family("test_byobnet"),
    Family("test_nfnet"),
    Family("mobilenetv2_035"),
    Family("mobilenetv3_small_050", mean=False),
    Family("mobilenetv4_conv_small_035", mean=False),
    Family("mobilenetv4_hybrid_medium", mean=False),
    Family("test_efficientnet"),
    Family("mnasnet_small"),
    Family("lcnet_035", mean=False),
    Family("tinynet_e"),
    Family("ghostnet_050", mean=False),
    Family("repghostnet_050", mean=False),
    Family("rexnet_100"),
    Family("hgnetv2_b0", mean=False),
    Family("fasternet_t0", mean=False),
    Family("starnet_s050"),
    Family("repvit_m1", mean=False),
    Family("test_convnext", mean=False),
    Family("convnextv2_atto", mean=False),
    Family("test_mambaout", mean=False),
    Family("inception_next_atto", mean=False),
    Family("poolformerv2_s12", mean=False),
    Family("edgenext_xx_small", mean=False),
    Family("fastvit_t8", 128),
    Family("efficientformerv2_s0", mean=False),
    Family("efficientformer_l1", 224, mean=False, tokens=True),
    Family("mobilevit_xxs"),
    Family("shvit_s1", 128, stages=3, mean=False),
    Family("nextvit_small"),
    Family("test_coatnet", 160),
    Family("test_maxvit"),
    Family("swin_tiny_patch4_window7_224", 112, SWIN),
    Family("swinv2_tiny_window8_256", 64, SWIN),
    Family("tiny_vit_5m_224", mean=False),
    Family(
        "davit_tiny",
        kwargs={"embed_dims": (16, 24, 32, 48), "num_heads": (1, 1, 2, 2), "depths": (1, 1, 1, 1)},
        mean=False,
    ),
    Family("pvt_v2_b0"),
    Family("nest_tiny", 128, stages=3),
    Family("hiera_tiny_224", 224, {"embed_dim": 16, "stages": (1, 1, 2, 1)}, mean=False, tokens=True, hooked=False),
    Family("levit_128s", mean=False, stages=3, tokens=True),
    Family("pit_ti_224", stages=3, tokens=True, hooked=False),
    Family("coat_tiny", mean=False, classifies=False, hooked=False),
    Family("crossvit_tiny_240", 240, mean=False, classifies=False, hooked=False),
    Family("gmlp_ti16_224", tokens=True),
    Family("xcit_nano_12_p16_224", kwargs={"depth": 4}, **TOKEN),
    Family("cait_xxs24_224", kwargs={"embed_dim": 24, "depth": 4, "num_heads": 3}, **TOKEN),
    Family("beit_base_patch16_224", kwargs=SMALL, mean=False, tokens=True),
    Family("eva02_tiny_patch14_224", 56, SMALL, mean=False, tokens=True),
    Family("test_vit", **TOKEN),
    Family("vit_tiny_patch16_224", 64, {**SMALL, "global_pool": "avg", "class_token": False}, mean=False, tokens=True),
    Family("deit_tiny_distilled_patch16_224", 64, SMALL, **TOKEN),
    Family("vit_tiny_r_s16_p8_224", 64, {"depth": 4}, **TOKEN),
]
