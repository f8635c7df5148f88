"""What was, or would be, used?"""
