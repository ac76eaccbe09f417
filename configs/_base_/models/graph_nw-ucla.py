# Kinect v1 joints as mmaction2's Graph takes them: pairs of a joint and the
# next one towards the shoulder centre
graph_cfg = dict(
    layout=dict(
        num_node=20,
        inward=[
            (0, 1),
            (1, 2),
            (3, 2),
            (4, 2),
            (5, 4),
            (6, 5),
            (7, 6),
            (8, 2),
            (9, 8),
            (10, 9),
            (11, 10),
            (12, 0),
            (13, 12),
            (14, 13),
            (15, 14),
            (16, 0),
            (17, 16),
            (18, 17),
            (19, 18),
        ],
        center=2,
    ),
    mode='spatial',
)
