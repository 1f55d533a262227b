"""What people hand in, free of torch: pictures, PDF pages, PAGE XML and ALTO.

In: files as people have them. Out: crops of lines as training sees them, and texts back in their XML. It uses `base`.
"""
