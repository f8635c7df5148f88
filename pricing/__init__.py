"""What does a unit cost, and how many units is this text?"""
