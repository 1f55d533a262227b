"""Raw archives: from a folder, a URL, Google Drive or `drawn`, brought to one form in data/raw, and read from there.

In: `data.source`. Out: data/raw/*.zip, their members and images. It uses `drawn` and `base`.
"""
