from stars_mm.engine.optimizers.layer_decay_constructor import (
    LayerDecayOptimWrapperConstructor,
    freeze_untrained_layers,
    get_layer_depth,
)
from stars_mm.engine.optimizers.linear_warmup_lr import LinearWarmupLR

__all__ = [
    'LayerDecayOptimWrapperConstructor',
    'LinearWarmupLR',
    'freeze_untrained_layers',
    'get_layer_depth',
]
