"""Later."""
def cycles(tools, scratch, long, seed):
    return 0
