"""A linear layer whose matrix stays orthogonal whatever the optimiser does."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization


class _OrthogonalFactor(nn.Module):
    """The Q of a QR decomposition, with signs such that R has a positive diagonal.

    torch's own `orthogonal` keeps signs as entries of the parameter and casts them to integers; weight decay moves them
    below 1, so a rectangular matrix becomes 0. Q does not depend on the parameter's scale.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(D', D) -> (D', D), with orthonormal columns where D' >= D, orthonormal rows otherwise."""
        tall = x if x.shape[0] >= x.shape[1] else x.T
        q, r = torch.linalg.qr(tall)
        q = q * r.diagonal().sign()
        return q if x.shape[0] >= x.shape[1] else q.T


def orthogonal_linear(d_in: int, d_out: int) -> nn.Module:
    """Bias-free linear layer (B, d_in) -> (B, d_out) whose matrix has orthonormal rows or columns.

    Example:
        >>> weight = orthogonal_linear(2, 3).weight
        >>> torch.allclose(weight.T @ weight, torch.eye(2), atol=1e-6)
        True
    """
    layer = nn.Linear(d_in, d_out, bias=False)
    nn.init.normal_(layer.weight)  # its Q is then uniform among orthogonal matrices
    register_parametrization(layer, "weight", _OrthogonalFactor())
    return layer
