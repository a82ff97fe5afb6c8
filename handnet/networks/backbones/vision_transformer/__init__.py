"""Vision transformers: the network, its sizes, the entries of DINOv2 and DINOv3, and LoRA on the attention."""
