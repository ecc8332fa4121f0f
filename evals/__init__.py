import assistant  # noqa: F401 - before numpy: it sets what libraries read when they are imported
