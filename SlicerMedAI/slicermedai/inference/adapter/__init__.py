"""From a bundle's configuration to parts that run here: small rules by pattern, each of which says what it did."""
