"""Clips to learn from: puppets with known answers, motion capture, and real video."""
