"""What descriptions of data and of files have in common: the dictionary by which short ones are deflated.

It is part of the format: archives hold it by a number, and it never changes.
"""

from __future__ import annotations

__all__ = ["COMMON"]

SPELLING = (
    '"missing":["","?","NA","N/A","<NA>","NaN","nan","NULL","null","None"],"decimal":".","thousands":"","unit":"",'
    '"day_first":true}}'
)
COMMON = (
    '"classes":["pictures":{"levels":null,"reader":2}},"binarize":null,"resolution":0.01,"count":true,"identifier",'
    '"kind":"image","domain":{"shape":[28,28],"num_symbols":256,"ordinal":true,"resolution":null,'
    '"kind":"fasta","alphabet":"sequences","text","tokens":"{"format":"data":{"options":{"model":{"network":{"name":'
    '{"form":"idx","axes":3}{"form":"png","level":6,"optimize":false}{"form":"json","splits":[["train",0,100],"style":0}'
    '{"form":"fasta","names":[">"],"width":60,"end":"\\n"}{"form":"written"}{"form":"none"}{"form":"digits","end":"\\n"}'
    "{\"form\":\"npy\",\"head\":\"\\u0093NUMPY\\u0001\\u0000v\\u0000{'descr': '|u1', '<f8', '<i8', "
    "'fortran_order': False, 'shape': (1000, 16), }" + " " * 58 + '\\n","type":"<i8","order":"C"}'
    '{"encoding":{"kind":"array","domain":{"shape":[16],"num_symbols":2,"ordinal":false,"resolution":null,'
    '"variable_length":false,"end":null,"columns":[]},"classes":null},"elements":[[0,[],[]],[1,[0],[2]],[2,[],[-2]],'
    '{"form":"table","head":["x,y"],"delimiter":";","\\t","end":"\\r\\n","columns":[{"cells":["0","1","2","3","4","5"]},'
    '{"of":0,"as":"quoted","decimals 2","map":{"","false","true"},"steps":[1,2,1],"cells":["-0","1.0"]},'
    '{"of":1,"as":"plain","map":{},"steps":[],"cells":[]},{"of":2,"as":"plain","map":{},"steps":[],"cells":[]}],"odd":[]}'
    '{"encoding":{"kind":"table","columns":[{"name":"id","kind":"constant","values":["0"],"missing":null,"spelling":'
    '{"kind":"date","kind":"number",' + SPELLING + ',{"name":"class","kind":"ordinal","step":1,"values":["no","yes"],'
    '"missing":"missing":null,"spelling":{"kind":"text",' + SPELLING + ',{"name":"x","kind":"categorical","values":'
    '["0","1","a","b"],"missing":null,"spelling":{"kind":"text",' + SPELLING + '],"conditions":null,"dropped":[]},'
    '"elements":[[0,[],[]],[1,[0],[0]],[2,[1,0],[0,2]],[3,[],[]],[4,[3,2],[2,2]]]}'
).encode()
