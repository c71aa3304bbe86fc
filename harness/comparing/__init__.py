"""Two sides held against each other, item by item or round by round: worse, same, better, or not to be told."""
