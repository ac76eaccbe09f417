"""STARS in one file, to read and to run: some minutes on a CPU, nothing to download.

    python docs/examples/stars_in_one_file.py

Stage 1 (MAMP, arXiv 2308.07092) hides most of a skeleton sequence and predicts the motion of what
is hidden. Stage 2 (STARS, arXiv 2407.10935) tunes the encoder so that one view of a clip picks out
the nearest neighbor of another view. Both see no labels; a nearest-neighbor classifier shows what
the features are worth before, between and after. Only the generated recordings come from the
package, which does the same with more care, speed and data: docs/architecture.md. Axes: N clips, M
persons, T frames, V joints, C channels; B = persons of a batch, L tokens, K kept.
"""

import argparse
import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_mm.demo import make_annotations

T, V, C, M, TUBELET = 32, 25, 3, 2, 8  # a token is TUBELET frames of a joint
L = T // TUBELET * V
SPINE, LEFT_SHOULDER, RIGHT_SHOULDER = 1, 4, 8
DIMS, HIDDEN, MASK_RATIO, TAU, TEMPERATURE, QUEUE_SIZE = 64, 512, 0.8, 0.8, 0.07, 512


def load_clips(clips_per_class: int, seed: int = 0) -> dict[str, tuple[list[Tensor], Tensor]]:
    """Generated recordings of 15 actions: split → clips of shape (M, frames, V, C), labels."""
    data = make_annotations(clips_per_class, seed=seed)
    by_name = {clip['frame_dir']: clip for clip in data['annotations']}
    splits = {}
    for split, names in data['split'].items():
        found = [by_name[name] for name in names]
        clips = [center_and_turn(clip['keypoint']) for clip in found]
        splits[split] = clips, torch.tensor([clip['label'] for clip in found])
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
    length = int(frames * (np.random.uniform(0.5, 1) if train else 0.95))
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


def patchify(x: Tensor) -> Tensor:
    """Cut persons into tokens, time before joints: (B, T, V, C) → (B, L, TUBELET·C)."""
    return x.unflatten(1, (-1, TUBELET)).transpose(2, 3).flatten(3).flatten(1, 2)


def transformer(depth: int) -> nn.Sequential:
    """Pre-norm blocks with 4 heads, and a last norm."""
    pre_norm = dict(dropout=0.0, activation='gelu', batch_first=True, norm_first=True)
    layers = [nn.TransformerEncoderLayer(DIMS, 4, 4 * DIMS, **pre_norm) for _ in range(depth)]
    return nn.Sequential(*layers, nn.LayerNorm(DIMS))


class Encoder(nn.Module):
    """Transformer over the tokens of one person."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.embed = nn.Linear(TUBELET * C, DIMS)
        self.position = nn.Parameter(0.02 * torch.randn(1, L, DIMS))
        self.layers = transformer(depth)

    def forward(self, x: Tensor, ids_keep: Tensor | None = None) -> Tensor:
        """(B, T, V, C) → tokens (B, L, DIMS), or of the kept ones alone (B, K, DIMS)."""
        tokens = self.embed(patchify(x)) + self.position
        if ids_keep is not None:
            tokens = tokens.take_along_dim(ids_keep[..., None], dim=1)
        return self.layers(tokens)


class Decoder(nn.Module):
    """Predicts every token's motion from the kept tokens."""

    def __init__(self, depth: int = 1) -> None:
        super().__init__()
        self.embed = nn.Linear(DIMS, DIMS)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, DIMS))
        self.position = nn.Parameter(0.02 * torch.randn(1, L, DIMS))
        self.layers = transformer(depth)
        self.predict = nn.Linear(DIMS, TUBELET * C)

    def forward(self, tokens: Tensor, ids_restore: Tensor) -> Tensor:
        """(B, K, DIMS) and their places (B, L) → predictions (B, L, TUBELET·C)."""
        hidden = self.mask_token.expand(len(tokens), L - tokens.shape[1], -1)
        x = torch.cat((self.embed(tokens), hidden), dim=1)
        x = x.take_along_dim(ids_restore[..., None], dim=1)
        return self.predict(self.layers(x + self.position))


def hide_moving_tokens(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Draw what to hide without replacement, moving tokens more often (MAMP, section 3.3): by the
    Gumbel trick, those with the highest noisy log-probabilities; ``noise`` (B, L) is uniform."""
    motion = patchify(x).unflatten(1, (-1, V)).diff(dim=1).abs().mean(-1)  # (B, T′ − 1, V)
    motion = torch.cat((motion[:, :1], motion), dim=1).flatten(1)  # (B, L)
    log_prob = (motion / (motion.amax(1, keepdim=True) * TAU + 1e-10)).log_softmax(1)
    gumbel = -torch.log(-torch.log(noise + 1e-10) + 1e-10)
    ids_shuffle = (log_prob + gumbel).argsort(dim=1, stable=True)
    ids_restore = ids_shuffle.argsort(dim=1)
    K = int(L * (1 - MASK_RATIO))
    return ids_shuffle[:, :K], ids_restore, ids_restore >= K


def motion_target(x: Tensor) -> Tensor:
    """Motion between neighboring frames, each token normalized by itself: (B, L, TUBELET·C)."""
    target = patchify(F.pad(x.diff(dim=1), (0, 0, 0, 0, 0, 1)))
    var, mean = torch.var_mean(target, -1, keepdim=True)
    return (target - mean) / (var + 1e-6).sqrt()


def mamp_loss(encoder: Encoder, decoder: Decoder, x: Tensor, noise: Tensor) -> Tensor:
    """Squared error of the predicted motion of hidden tokens; x: (B, T, V, C)."""
    ids_keep, ids_restore, hidden = hide_moving_tokens(x, noise)
    pred = decoder(encoder(x, ids_keep), ids_restore)
    return (pred - motion_target(x))[hidden].square().mean()


def pretrain(encoder: Encoder, clips: list[Tensor], steps: int, batch: int = 16) -> None:
    """Stage 1. Persons who are absent have no motion, and are left out."""
    decoder = Decoder()

    def losses():
        for views, _ in batches(clips, batch, steps, num_views=1):
            x = views[views.flatten(3).any(3)]  # (B, T, V, C)
            yield mamp_loss(encoder, decoder, x, torch.rand(len(x), L))

    train('stage 1', [*encoder.parameters(), *decoder.parameters()], 1e-3, steps, losses())


def feature(encoder: Encoder, x: Tensor) -> Tensor:
    """Mean over the persons who are there and their tokens: (N, M, T, V, C) → (N, DIMS)."""
    there = x.flatten(2).any(2)  # (N, M)
    feats = x.new_zeros(*there.shape, DIMS)
    feats[there] = encoder(x[there]).mean(1)
    return feats.sum(1) / there.sum(1, keepdim=True)


class Head(nn.Module):
    """Projections look up neighbors in a queue, predictions have to pick them out."""

    def __init__(self) -> None:
        super().__init__()
        self.projector = nn.BatchNorm1d(DIMS)
        first, last = nn.Linear(DIMS, HIDDEN, bias=False), nn.Linear(HIDDEN, DIMS)
        self.predictor = nn.Sequential(first, nn.BatchNorm1d(HIDDEN), nn.ReLU(), last)
        self.queue = F.normalize(torch.randn(QUEUE_SIZE, DIMS))
        self.queue_ids = torch.full((QUEUE_SIZE,), -1)

    def loss(self, feats: list[Tensor], idx: Tensor) -> Tensor:
        """Of two views' features (N, DIMS), and the indices (N, ) of their clips."""
        projections = [self.projector(feat) for feat in feats]
        predictions = [F.normalize(self.predictor(p)) for p in projections]
        projections = [F.normalize(p).detach() for p in projections]
        losses = []
        for projection, prediction in zip(projections, reversed(predictions)):
            similarity = projection @ self.queue.t()  # (N, QUEUE_SIZE)
            similarity[idx[:, None] == self.queue_ids] = -math.inf  # nobody is his own neighbor
            neighbors = self.queue[similarity.argmax(1)]
            logits = neighbors @ prediction.t() / TEMPERATURE  # (N, N)
            losses.append(F.cross_entropy(logits, torch.arange(len(idx))))
        self.queue = torch.cat((self.queue[len(idx) :], projections[0]))  # the oldest go
        self.queue_ids = torch.cat((self.queue_ids[len(idx) :], idx))
        return torch.stack(losses).mean()


def tune(encoder: Encoder, clips: list[Tensor], steps: int, batch: int = 32) -> None:
    """Stage 2. What stage 1 embeds its tokens with stays as it is."""
    head = Head()
    pairs = batches(clips, batch, steps, num_views=2)
    losses = (head.loss([feature(encoder, x) for x in views], idx) for views, idx in pairs)
    train('stage 2', [*encoder.layers.parameters(), *head.parameters()], 5e-4, steps, losses)


def train(name: str, params: list, lr: float, steps: int, losses: Iterator[Tensor]) -> None:
    """AdamW; the learning rate rises, then falls to nothing by a cosine."""
    optimizer = torch.optim.AdamW(params, lr, betas=(0.9, 0.95), weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=0.1)
    for step, loss in enumerate(losses):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % (steps // 5 or 1) == 0:
            print(f'{name}, step {step}: loss {loss.item():.3f}', flush=True)


@torch.no_grad()
def knn_accuracy(encoder: Encoder, splits: dict) -> float:
    """Share of test clips whose nearest training clip, by cosine, is of their class, percent."""
    feats = {}
    for split, (clips, _) in splits.items():
        views = torch.stack([make_view(clip, False) for clip in clips]).split(64)
        feats[split] = F.normalize(torch.cat([feature(encoder, part) for part in views]))
    nearest = (feats['xsub_val'] @ feats['xsub_train'].t()).argmax(1)
    right = splits['xsub_train'][1][nearest] == splits['xsub_val'][1]
    return 100 * right.float().mean().item()


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--clips-per-class', type=int, default=45)
    parser.add_argument('--steps', type=int, nargs=2, default=(1500, 120), help='of both stages')
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    np.random.seed(0)
    splits = load_clips(args.clips_per_class)
    encoder = Encoder()
    found = dict(random=knn_accuracy(encoder, splits))
    for name, stage, steps in zip(('mamp', 'stars'), (pretrain, tune), args.steps):
        stage(encoder, splits['xsub_train'][0], steps)
        found[name] = knn_accuracy(encoder, splits)
    print('\n'.join(f'{name:6} {found[name]:5.1f} % by the nearest neighbor' for name in found))
    return found


if __name__ == '__main__':
    main()
