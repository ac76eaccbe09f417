import torch
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class FrozenRecognizerGCN(RecognizerGCN):
    """mmaction2's ``RecognizerGCN`` whose backbone, whichever it is, stays as
    it was loaded: only the head is trained.

    The backbone has no gradient, and is in evaluation mode always: no dropout,
    no drop path, and the running statistics of its batch norms stay.

    Args:
        *args: Those of ``RecognizerGCN``: ``backbone``, ``cls_head``, ….
        **kwargs: The same.
    """

    #: A random encoder that nothing trains is a mistake.
    needs_pretrained = True

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.backbone.requires_grad_(False)
        self.backbone.eval()

    def train(self, mode: bool = True) -> 'FrozenRecognizerGCN':
        """Set training mode; the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def extract_feat(self, inputs: Tensor, stage: str = 'backbone', **kwargs) -> tuple:
        """Extract features, those of the backbone without gradient.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C).
            stage (str): ``'backbone'`` for the feature map, ``'head'`` for the class scores.
            **kwargs: Those of ``RecognizerGCN.extract_feat``.

        Returns:
            tuple: The features, and the keyword arguments for the head.
        """
        with torch.no_grad():
            feats, head_kwargs = super().extract_feat(inputs, **kwargs)
        if stage == 'head' and self.with_cls_head:
            feats = self.cls_head(feats, **head_kwargs)
        return feats, head_kwargs
