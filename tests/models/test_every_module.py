"""No module of timm makes fgkd fall over: each of its networks is served, or refused with a reason."""

from __future__ import annotations

import pytest
import timm

from fgkd.models import cost, meta_backbone, problems
from fgkd.models.check import native_size
from fgkd.spec import BackboneSpec

REFUSED = {  # the first network of each of these, and why
    "efficientvim": "weighs the logits",
    "gemma4_vit": "meta tensors",
    "volo": "use_aux_head",
}


@pytest.mark.slow
@pytest.mark.parametrize("module", [m for m in timm.list_modules() if m != "net"])
def test_served_or_refused(module: str) -> None:
    spec = BackboneSpec(name=timm.list_models(module=module)[0])
    size = native_size(spec, 224)
    found = problems(spec, num_classes=10, view_size=size)
    if module in REFUSED:
        assert REFUSED[module] in found[0]
    else:
        assert found == []
        assert cost(meta_backbone(spec, num_classes=10, view_size=size), size).macs > 0
