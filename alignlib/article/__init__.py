"""The printed code of the article that this book tests: its idea, its slips, and tests that see them."""
