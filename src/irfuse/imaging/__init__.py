"""What a picture is: planes, levels, color, sizes, and sheets of several pictures."""
