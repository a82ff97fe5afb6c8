"""The encoder that is exported once, and photos of every kind."""

from tests.exported import exported as exported
from tests.exported import photos as photos
