"""The REPL: a prompt around the same parser, completion engine and execution as the one-shots.

prompt-toolkit is imported only by the modules ``prompt`` and below it, when the REPL is opened.
"""
