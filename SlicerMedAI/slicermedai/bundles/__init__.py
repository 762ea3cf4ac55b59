"""MONAI bundles: manifest, registry, hashes, licence and consent."""
