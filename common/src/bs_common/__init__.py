"""What the coordinator and the sites of a bone-scan study must agree on."""
