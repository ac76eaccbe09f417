from typing import Any

from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS

from stars_mm.models.utils.freezing import freeze


@MODELS.register_module()
class FrozenRecognizerGCN(RecognizerGCN):
    """mmaction2's ``RecognizerGCN``, with the same arguments, whose backbone, whichever it is,
    stays as it was loaded: only the head is trained."""

    #: A random encoder that nothing trains is a mistake.
    needs_pretrained = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        freeze(self.backbone)
