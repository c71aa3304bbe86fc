"""What makes things that the package ships; none of it is in the wheel."""
