"""What the documentation site has beyond the pages of docs/: reference pages made from the code, and the tutorial."""
