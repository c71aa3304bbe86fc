"""What the commands stand on and do, a file each."""
