"""STARS in one file, to read and to run: minutes on a CPU, nothing to download.

    python docs/examples/stars_in_one_file.py

Stage 1 (MAMP, arXiv 2308.07092) hides most of a skeleton sequence and predicts the motion of what
is hidden. Stage 2 (STARS, arXiv 2407.10935) tunes the encoder so that one view of a clip picks out
the nearest neighbor of another view. Both see no labels; a nearest-neighbor classifier shows what
the features are worth before, between and after. Only the recordings come from the package: they
are generated. The package does the same with more care, speed and data: docs/architecture.md.

Axes: N clips, M persons, T frames, V joints, C channels; B = persons of a batch, L tokens, K kept.
"""

import argparse
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_mm.demo import make_annotations

T, V, C, M = 32, 25, 3, 2
TUBELET = 8  # frames of one joint that make a token
L = T // TUBELET * V
SPINE, LEFT_SHOULDER, RIGHT_SHOULDER = 1, 4, 8
MASK_RATIO, TAU = 0.8, 0.8
TEMPERATURE, QUEUE_SIZE = 0.07, 512


# ---- clips ----------------------------------------------------------------------------------


def load_clips(clips_per_class: int, seed: int = 0) -> dict[str, tuple[list[Tensor], Tensor]]:
    """Generated recordings of 15 actions: split → clips of shape (M, frames, V, C), labels."""
    data = make_annotations(clips_per_class, num_subjects=18, seed=seed)
    by_name = {clip['frame_dir']: clip for clip in data['annotations']}
    splits = {}
    for split, names in data['split'].items():
        clips = [center_and_turn(by_name[name]['keypoint']) for name in names]
        splits[split.split('_')[1]] = clips, torch.tensor([by_name[name]['label'] for name in names])
    return splits


def center_and_turn(keypoint: np.ndarray) -> Tensor:
    """Put the first person's spine at the origin and the shoulders along x, in the first frame."""
    x = torch.from_numpy(keypoint.astype(np.float32))  # (1 or 2, frames, V, C)
    x = x - x[0, 0, SPINE]
    across = x[0, 0, RIGHT_SHOULDER] - x[0, 0, LEFT_SHOULDER]
    x = x @ rotation_y(-math.atan2(across[2], across[0]))
    return F.pad(x, (0, 0, 0, 0, 0, 0, 0, M - len(x)))  # an absent person is all zeros


def rotation_y(angle: float) -> Tensor:
    """Turn about the vertical axis, for coordinates that stand in rows: x @ rotation."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def make_view(clip: Tensor, train: bool) -> Tensor:
    """A stretch of a clip at T frames, for training a random one, turned a little: (M, T, V, C)."""
    frames = clip.shape[1]
    part = np.random.uniform(0.5, 1) if train else 0.95
    length = max(int(part * frames), 2)
    begin = np.random.randint(frames - length + 1) if train else (frames - length) // 2
    x = clip[:, begin : begin + length].flatten(2).transpose(1, 2)  # (M, V·C, length)
    x = F.interpolate(x, T, mode='linear').transpose(1, 2).unflatten(2, (V, C))
    return x @ rotation_y(np.random.uniform(-0.5, 0.5)) if train else x


def batches(clips: list[Tensor], size: int, steps: int, num_views: int):
    """Yields random views (num_views, N, M, T, V, C) and the indices (N, ) of their clips."""
    for _ in range(steps):
        idx = torch.randint(len(clips), (size,))
        views = [torch.stack([make_view(clips[i], True) for i in idx]) for _ in range(num_views)]
        yield torch.stack(views), idx


# ---- stage 1: masked motion prediction ------------------------------------------------------


def patchify(x: Tensor) -> Tensor:
    """Cut persons into tokens, time before joints: (B, T, V, C) → (B, L, TUBELET·C)."""
    x = x.unflatten(1, (T // TUBELET, TUBELET)).transpose(2, 3)  # (B, T′, V, TUBELET, C)
    return x.flatten(3).flatten(1, 2)


def transformer(dims: int, depth: int) -> nn.Sequential:
    """Pre-norm blocks and a last norm."""
    blocks = [
        nn.TransformerEncoderLayer(
            dims, 4, 4 * dims, dropout=0.0, activation='gelu', batch_first=True, norm_first=True
        )
        for _ in range(depth)
    ]
    return nn.Sequential(*blocks, nn.LayerNorm(dims))


class Encoder(nn.Module):
    """Transformer over the tokens of one person."""

    def __init__(self, dims: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.embed = nn.Linear(TUBELET * C, dims)
        self.position = nn.Parameter(0.02 * torch.randn(1, L, dims))
        self.layers = transformer(dims, depth)

    def forward(self, x: Tensor, ids_keep: Tensor | None = None) -> Tensor:
        """(B, T, V, C) → tokens (B, L, dims), or of the kept ones alone (B, K, dims)."""
        tokens = self.embed(patchify(x)) + self.position
        if ids_keep is not None:
            tokens = take(tokens, ids_keep)
        return self.layers(tokens)


class Decoder(nn.Module):
    """Predicts every token's motion from the kept tokens."""

    def __init__(self, dims: int = 64, depth: int = 1) -> None:
        super().__init__()
        self.embed = nn.Linear(dims, dims)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, dims))
        self.position = nn.Parameter(0.02 * torch.randn(1, L, dims))
        self.layers = transformer(dims, depth)
        self.predict = nn.Linear(dims, TUBELET * C)

    def forward(self, tokens: Tensor, ids_restore: Tensor) -> Tensor:
        """(B, K, dims) and their places (B, L) → predictions (B, L, TUBELET·C)."""
        B, K, _ = tokens.shape
        hidden = self.mask_token.expand(B, L - K, -1)
        x = take(torch.cat((self.embed(tokens), hidden), dim=1), ids_restore)
        return self.predict(self.layers(x + self.position))


def take(tokens: Tensor, ids: Tensor) -> Tensor:
    """The tokens (B, K, dims) with these indices (B, K)."""
    return tokens.gather(1, ids[..., None].expand(-1, -1, tokens.shape[2]))


def hide_moving_tokens(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Choose what to hide, moving tokens more often (MAMP, section 3.3).

    ``noise`` (B, L) is uniform. By the Gumbel trick, the tokens with the highest noisy
    log-probabilities are a draw without replacement.
    """
    patches = patchify(x).unflatten(1, (-1, V))  # (B, T′, V, P)
    motion = (patches[:, 1:] - patches[:, :-1]).abs().mean(-1)
    motion = torch.cat((motion[:, :1], motion), dim=1).flatten(1)  # (B, L)
    peak = motion.amax(1, keepdim=True)
    log_prob = (motion / (peak * TAU + 1e-10)).log_softmax(1)
    gumbel = -torch.log(-torch.log(noise + 1e-10) + 1e-10)
    ids_shuffle = (log_prob + gumbel).argsort(dim=1, stable=True)
    ids_restore = ids_shuffle.argsort(dim=1)
    K = int(L * (1 - MASK_RATIO))
    return ids_shuffle[:, :K], ids_restore, ids_restore >= K


def motion_target(x: Tensor) -> Tensor:
    """Motion between neighboring frames, each token normalized by itself: (B, L, TUBELET·C)."""
    motion = F.pad(x[:, 1:] - x[:, :-1], (0, 0, 0, 0, 0, 1))
    target = patchify(motion)
    mean, var = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
    return (target - mean) / (var + 1e-6).sqrt()


def mamp_loss(encoder: Encoder, decoder: Decoder, x: Tensor, noise: Tensor) -> Tensor:
    """Squared error of the predicted motion of hidden tokens; x: (B, T, V, C)."""
    ids_keep, ids_restore, hidden = hide_moving_tokens(x, noise)
    pred = decoder(encoder(x, ids_keep), ids_restore)
    error = (pred - motion_target(x)).square().mean(-1)  # (B, L)
    return error[hidden].mean()


def pretrain(encoder: Encoder, clips: list[Tensor], steps: int, batch: int = 16) -> None:
    """Stage 1. Persons who are absent have no motion, and are left out."""
    decoder = Decoder(encoder.position.shape[2])
    params = [*encoder.parameters(), *decoder.parameters()]
    optimizer, scheduler = optimize(params, 1e-3, steps)
    for step, (views, _) in enumerate(batches(clips, batch, steps, 1)):
        x = views.flatten(0, 2)
        x = x[x.flatten(1).any(1)]  # (B, T, V, C)
        loss = mamp_loss(encoder, decoder, x, torch.rand(len(x), L))
        update(loss, optimizer, scheduler, f'stage 1, step {step}', step % 200 == 0)


# ---- stage 2: contrastive tuning with nearest neighbors --------------------------------------


def feature(encoder: Encoder, x: Tensor) -> Tensor:
    """Mean over the persons who are there and their tokens: (N, M, T, V, C) → (N, dims)."""
    there = x.flatten(2).any(2)  # (N, M)
    feats = x.new_zeros(*there.shape, encoder.position.shape[2])
    feats[there] = encoder(x[there]).mean(1)
    return feats.sum(1) / there.sum(1, keepdim=True)


class Head(nn.Module):
    """Projections look up neighbors in a queue, predictions have to pick them out."""

    def __init__(self, dims: int = 64, hidden: int = 512) -> None:
        super().__init__()
        self.projector = nn.BatchNorm1d(dims)
        self.predictor = nn.Sequential(
            nn.Linear(dims, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, dims),
        )
        self.queue = F.normalize(torch.randn(QUEUE_SIZE, dims))
        self.queue_ids = torch.full((QUEUE_SIZE,), -1)

    def loss(self, feats: list[Tensor], idx: Tensor) -> Tensor:
        """Of two views' features (N, dims), and the indices (N, ) of their clips."""
        projections = [self.projector(feat) for feat in feats]
        predictions = [F.normalize(self.predictor(p)) for p in projections]
        projections = [F.normalize(p).detach() for p in projections]
        target = torch.arange(len(idx))
        losses = []
        for projection, prediction in zip(projections, reversed(predictions)):
            similarity = projection @ self.queue.t()  # (N, QUEUE_SIZE)
            similarity[idx[:, None] == self.queue_ids] = -math.inf  # nobody is his own neighbor
            neighbors = self.queue[similarity.argmax(1)]
            losses.append(F.cross_entropy(neighbors @ prediction.t() / TEMPERATURE, target))
        self.queue = torch.cat((self.queue[len(idx) :], projections[0]))  # the oldest go
        self.queue_ids = torch.cat((self.queue_ids[len(idx) :], idx))
        return torch.stack(losses).mean()


def tune(encoder: Encoder, clips: list[Tensor], steps: int, batch: int = 32) -> None:
    """Stage 2. What stage 1 embeds its tokens with stays as it is."""
    head = Head(encoder.position.shape[2])
    params = [*encoder.layers.parameters(), *head.parameters()]
    optimizer, scheduler = optimize(params, 5e-4, steps)
    for step, (views, idx) in enumerate(batches(clips, batch, steps, 2)):
        loss = head.loss([feature(encoder, view) for view in views], idx)
        update(loss, optimizer, scheduler, f'stage 2, step {step}', step % 50 == 0)


# ---- both -----------------------------------------------------------------------------------


def optimize(params: list, lr: float, steps: int):
    """AdamW; the learning rate rises, then falls to nothing by a cosine."""
    optimizer = torch.optim.AdamW(params, lr, betas=(0.9, 0.95), weight_decay=0.05)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=0.1)


def update(loss: Tensor, optimizer, scheduler, name: str, tell: bool) -> None:
    """One step of training."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if tell:
        print(f'{name}: loss {loss.item():.3f}', flush=True)


@torch.no_grad()
def knn_accuracy(encoder: Encoder, splits: dict) -> float:
    """Share of test clips whose nearest training clip, by cosine, is of their class, percent."""

    def encode(clips: list[Tensor]) -> Tensor:
        views = torch.stack([make_view(clip, False) for clip in clips])
        return F.normalize(torch.cat([feature(encoder, part) for part in views.split(64)]))

    (bank, bank_labels), (query, labels) = splits['train'], splits['val']
    nearest = (encode(query) @ encode(bank).t()).argmax(1)
    return 100 * (bank_labels[nearest] == labels).float().mean().item()


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--clips-per-class', type=int, default=45)
    parser.add_argument('--steps', type=int, nargs=2, default=(1500, 120), help='of both stages')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    np.random.seed(args.seed)
    splits = load_clips(args.clips_per_class)
    encoder = Encoder()
    found = dict(random=knn_accuracy(encoder, splits))
    pretrain(encoder, splits['train'][0], args.steps[0])
    found['mamp'] = knn_accuracy(encoder, splits)
    tune(encoder, splits['train'][0], args.steps[1])
    found['stars'] = knn_accuracy(encoder, splits)
    for name, accuracy in found.items():
        print(f'{name:7} {accuracy:5.1f} % of the test clips have their nearest neighbor right')
    return found


if __name__ == '__main__':
    main()
