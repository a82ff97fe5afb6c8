"""The rules that split a data set into train, validation and test, people or photos."""
