"""Photos: the one decode, the store of decoded photos, augmentation."""
