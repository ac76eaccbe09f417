"""Operations of stage 1's parts against their formulas."""

import decoder_flops


def test_operations_are_those_of_the_layers():
    grid = dict(num_frames=8, num_joints=10, tubelet_size=2)  # 40 tokens, 4 of them kept
    encoder = dict(grid, embed_dims=8, depth=3, num_heads=2)
    decoder = dict(grid, in_channels=8, embed_dims=4, depth=2, num_heads=2)
    found = decoder_flops.count(encoder, decoder)
    L, K, H = 40, 3, 9  # 40 · (1 − 0.9) is a little less than 4; a quarter of 37

    def linear(rows, *widths):
        return sum(2 * rows * a * b for a, b in zip(widths, widths[1:]))

    def look(queries, keys, width):
        return 2 * 2 * queries * keys * width

    block = linear(K, 8, 24) + look(K, K, 8) + linear(K, 8, 8) + linear(K, 8, 32, 8)
    assert found['encoder'] == linear(K, 6, 8) + 3 * block
    ends = linear(K, 8, 4)
    block = linear(L, 4, 12) + look(L, L, 4) + linear(L, 4, 4) + linear(L, 4, 16, 4)
    hidden = L - K
    last = linear(hidden, 4, 4) + linear(L, 4, 8) + look(hidden, L, 4)
    last += linear(hidden, 4, 4) + linear(hidden, 4, 16, 4)
    assert found['MAMPDecoder'] == ends + block + last + linear(hidden, 4, 6)
    block = linear(H, 4, 4) + linear(K, 4, 8) + look(H, K, 4) + linear(H, 4, 4)
    block += linear(H, 4, 16, 4)
    assert found['MAMPCrossDecoder'] == ends + 2 * block + linear(H, 4, 6)
