"""What the library computes in single precision within a Llama, in double; apart, for it cannot be without PyTorch."""

import torch


class DoubleNorm(torch.nn.Module):
    """The library's norm without its step through single precision."""

    def __init__(self, weight: torch.Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight, self.epsilon = weight, epsilon

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.weight * hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self.epsilon)


class DoubleRotation(torch.nn.Module):
    """The library's rotary angles in double precision."""

    def __init__(self, width: int, theta: float) -> None:
        super().__init__()
        self.frequencies = theta ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)

    def forward(self, hidden: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        angles = position_ids[..., None].double() * self.frequencies
        both = torch.cat((angles, angles), dim=-1)
        return both.cos(), both.sin()
