"""Identity in the pixels themselves: burned-in text (option 113101) and faces (option 113102)."""
