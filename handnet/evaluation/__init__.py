"""A run evaluated: on hands, on pairs, in folds, by an audit; and the report of it."""
