_base_ = ['mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py']

# absent persons are not learned from, see docs/speed.md
model = dict(skip_absent=True)
