from .layer_decay_constructor import (LayerDecayOptimWrapperConstructor,
                                      freeze_untrained_layers)
from .linear_warmup_lr import LinearWarmupLR

__all__ = [
    'LayerDecayOptimWrapperConstructor', 'LinearWarmupLR',
    'freeze_untrained_layers'
]
