_base_ = ['../finetune/finetune_vit-8l-256d_8xb6-100e_pku2-xsub.py']

# the encoder that load_from names is from NTU-60, NTU-120 or PKU-MMD I
