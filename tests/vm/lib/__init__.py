"""What the VM tests and the demo are made of: guests, a switch, and the testbed that holds them."""
