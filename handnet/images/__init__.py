"""Photos: THE decode, the store of decoded photos, augmentation."""
