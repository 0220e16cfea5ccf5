"""What it takes to run Countersign in containers and in a cluster; the Python here makes and prepares, it serves nothing."""
