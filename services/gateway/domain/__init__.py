"""Pure rules of the gateway: who may do what, how a line is ranked and worded, how a list is paged. No I/O, no clock."""
