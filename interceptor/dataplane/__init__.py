"""The compiled gRPC front: from a switch's socket to the verdict and back, without Python on the way."""
